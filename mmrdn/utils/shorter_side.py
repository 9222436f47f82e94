# Copyright (c) mmrdn contributors. All rights reserved.
"""Sizes of images whose shorter side is brought to a length, as torchvision and Pillow do it."""


def shorter_side_size(width: int, height: int, shorter: int, longest: int) -> tuple[int, int]:
    """Return width and height that an image gets, see ``ShorterSideResize``.

    Args:
        width (int): Its width, pixels.
        height (int): Its height, pixels.
        shorter (int): Length of the shorter side, pixels.
        longest (int): The longer side is no longer than this, pixels; then the shorter one is rounded.
    """
    short, long = sorted((width, height))
    new = shorter
    if long / short * new > longest:
        new = max(1, round(longest * short / long))
    if width < height:
        return new, int(new * height / width)
    return int(new * width / height), new
