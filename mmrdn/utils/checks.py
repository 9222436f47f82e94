# Copyright (c) mmrdn contributors. All rights reserved.
from typing import Any


def check_num_frames(name: str, value: Any, low: int, high: int | None = None) -> None:
    """Refuse what is no number of frames.

    Args:
        name (str): What it is called.
        value (Any): What it is.
        low (int): The least.
        high (int, optional): The most.

    Raises:
        ValueError: It is no whole number, or out of range.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < low or (high is not None and value > high):
        span = f'{low} or more' if high is None else f'from {low} to {high}'
        raise ValueError(f'{name} must be a whole number of frames, {span}, got {value!r}')


def check_score_thr(score_thr: float) -> None:
    """Raise ValueError unless a score threshold is a finite number of 0 or more."""
    if not 0 <= score_thr < float('inf'):
        raise ValueError(f'score_thr must be 0 or more, got {score_thr}')
