# Copyright (c) mmrdn contributors. All rights reserved.
"""Text in pictures, in the font that matplotlib brings along."""

import functools
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mmrdn.visualization.colors import Color

_FONT = Path(matplotlib.get_data_path()) / 'fonts/ttf/DejaVuSans.ttf'


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(_FONT), size)


def font_size(height: int, width: int) -> int:
    """Font size that suits a picture: relatively larger in a small one.

    Args:
        height (int): Of the picture, in pixels.
        width (int): Of the picture, in pixels.

    Returns:
        int: Font size in pixels, 9 or more.
    """
    return max(9, round(0.8 * min(height, width) ** 0.5))


def line_height(size: int) -> int:
    """Height in pixels of a line of text with some room around it."""
    ascent, descent = _font(size).getmetrics()
    return ascent + descent + 2 * pad(size)


def pad(size: int) -> int:
    """Room in pixels around text of a font size."""
    return max(1, size // 6)


@functools.lru_cache(maxsize=4096)
def text_width(text: str, size: int) -> int:
    """Width in pixels of a line of text with some room around it."""
    return int(np.ceil(_font(size).getlength(text))) + 2 * pad(size)


def shorten(text: str, size: int, width: int) -> str:
    """The beginning of a text that is not too wide, with an ellipsis.

    Args:
        text (str): One line.
        size (int): Font size in pixels.
        width (int): What it may take, in pixels.

    Returns:
        str: The text as it is if it fits, '' if not even a letter does.
    """
    ends = [text] + [f'{text[:n]}…' for n in range(len(text) - 1, 0, -1)]
    return next((t for t in ends if text_width(t, size) <= width), '')


@functools.lru_cache(maxsize=1024)
def _ink(text: str, size: int) -> np.ndarray:
    """(h, w) float32 in [0, 1]: how much of each pixel the text covers."""
    mask = Image.new('L', (text_width(text, size), line_height(size)))
    ImageDraw.Draw(mask).text((pad(size), pad(size)), text, font=_font(size), fill=255)
    return np.asarray(mask, np.float32) / 255


def put_text(
    canvas: np.ndarray, text: str, corner: tuple[int, int], size: int, color: Color, ground: Color | None = None
) -> None:
    """Write a line of text into a picture, cut where the picture ends.

    Args:
        canvas (np.ndarray): (H, W, 3) uint8 BGR, written into.
        text (str): One line.
        corner (tuple[int, int]): x and y of its upper left corner.
        size (int): Font size in pixels.
        color (tuple[int, int, int]): Of the text, BGR.
        ground (tuple[int, int, int], optional): Colour of the rectangle behind it; the picture
            itself if not given.
    """
    ink = _ink(text, size)
    x, y = corner
    left, top = max(-x, 0), max(-y, 0)
    part = canvas[max(y, 0) : max(y + ink.shape[0], 0), max(x, 0) : max(x + ink.shape[1], 0)]
    ink = ink[top : top + part.shape[0], left : left + part.shape[1], None]
    below = part if ground is None else np.float32(ground)
    part[:] = np.rint(below * (1 - ink) + np.float32(color) * ink)
