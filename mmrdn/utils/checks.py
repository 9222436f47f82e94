# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Sequence
from typing import Any

import numpy as np


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


def check_image(image: Any, name: str) -> None:
    """Raise ValueError, which begins with the name, unless an image is a (H, W, 3) uint8 array with H, W >= 1."""
    if not isinstance(image, np.ndarray):
        raise ValueError(f'{name} must be a (H, W, 3) uint8 array, got a {type(image).__name__}')
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(f'{name} must be (H, W, 3) uint8 with H, W >= 1, got {image.shape} {image.dtype}')


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
