# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Sequence
from typing import Any


def check_num_frames(name: str, value: Any, low: int, high: int | None = None) -> None:
    """Refuse a value that is not a number of frames.

    Args:
        name (str): Name of the value, for the message.
        value (Any): The value.
        low (int): Least number of frames.
        high (int, optional): Greatest number of frames.

    Raises:
        ValueError: The value is not an integer, or out of range.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < low or (high is not None and value > high):
        span = f'{low} or more' if high is None else f'from {low} to {high}'
        raise ValueError(f'{name} must be an integer number of frames, {span}, got {value!r}')


def check_score_thr(score_thr: float) -> None:
    """Raise ValueError unless a score threshold is a finite number of 0 or more."""
    if not 0 <= score_thr < float('inf'):
        raise ValueError(f'score_thr must be 0 or more, got {score_thr}')


def require_fields(entry: Any, fields: Sequence[str], name: str) -> None:
    """Refuse a value that is not a dict with these fields.

    Args:
        entry (Any): Entry of a file, or a data sample.
        fields (Sequence[str]): Fields that must be there, and not None.
        name (str): Name of the entry, for the message.

    Raises:
        ValueError: A field is missing.
    """
    for field in fields:
        if not isinstance(entry, dict) or entry.get(field) is None:
            raise ValueError(f"{name} must have the field '{field}'")
