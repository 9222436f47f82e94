# Copyright (c) mmrdn contributors. All rights reserved.
"""Colors, edges of boxes, text and panels: the parts of every drawing on an image.

Images are (H, W, 3) uint8 BGR, colors BGR from 0 to 255.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from mmrdn.visualization.font import Font, check_glyphs

Color = tuple[int, int, int]

# 30 colors, any two of them 35 or more apart in CIE Lab; the first ones are the farthest apart.
_PALETTE = (
    'ff695a 00ff00 6900ff 00ffff 3c5a96 1e6900 ffd200 ff1ec3 b4ff87 9669ff '
    '874b0f a52d5a c3c3ff ff0000 ffe187 ff87d2 008769 f0a596 873c96 00b41e '
    'e18700 a5e1b4 96a500 1e96b4 00ffb4 0087ff 87874b e11eff ff0078 b4ff1e'
).split()

BLACK: Color = (0, 0, 0)
WHITE: Color = (255, 255, 255)
GROUND: Color = (32, 32, 32)  # between and around images


def check_image(image: np.ndarray, name: str = 'image') -> None:
    """Raise ValueError, with shape and type, for anything but an (H, W, 3) uint8 image."""
    good = isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
    if not good or not image.size:
        shape = getattr(image, 'shape', type(image).__name__)
        dtype = getattr(image, 'dtype', '')
        raise ValueError(f'{name} must be (height, width, 3) uint8 in color, got {shape} {dtype}'.rstrip())


def class_color(label: int) -> Color:
    """Return the color of a class, the same in every frame and data set.

    Args:
        label (int): Index of the class. Past 30 the colors come again.
    """
    red, green, blue = bytes.fromhex(_PALETTE[label % len(_PALETTE)])
    return blue, green, red


def text_color(ground: Color) -> Color:
    """Return black or white, whichever has more contrast with its ground.

    The contrast is that of WCAG 2: (L1 + 0.05) / (L2 + 0.05), L being relative luminance; black and
    white have the same at L = 0.179.
    """
    linear = [(c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4) for c in ground]
    luminance = 0.0722 * linear[0] + 0.7152 * linear[1] + 0.2126 * linear[2]
    return BLACK if luminance > 0.179 else WHITE


class Rect(NamedTuple):
    """A rectangle in pixels; right and bottom are the last inside."""

    left: int
    top: int
    right: int
    bottom: int

    def overlap(self, other: 'Rect') -> int:
        """Return the number of pixels that two rectangles share."""
        width = min(self.right, other.right) - max(self.left, other.left) + 1
        height = min(self.bottom, other.bottom) - max(self.top, other.top) + 1
        return max(width, 0) * max(height, 0)


def line_width(height: int, width: int) -> int:
    """Return the line width in pixels that suits the size of an image."""
    return max(1, round(min(height, width) ** 0.5 / 8))


def visible_part(box: np.ndarray, canvas: np.ndarray) -> Rect | None:
    """Return the part of a box that is in the image, None if there is none."""
    height, width = canvas.shape[:2]
    if box[2] < 0 or box[3] < 0 or box[0] >= width or box[1] >= height:
        return None
    x1, y1, x2, y2 = np.rint(np.clip(box, 0, [width - 1, height - 1] * 2)).astype(int).tolist()
    return Rect(x1, y1, x2, y2)


def draw_box(canvas: np.ndarray, rect: Rect, color: Color, line: int, marked: bool = False) -> None:
    """Draw the edges of a box, with a rim that sets it off from any ground.

    Args:
        canvas (np.ndarray): (H, W, 3) uint8 BGR, written into.
        rect (Rect): The box.
        color (tuple[int, int, int]): BGR color of the edges.
        line (int): Width of the line in pixels; thin ones have no rim.
        marked (bool): Whether to put white lines around the edges too.
    """
    rim = 2 if line > 1 else 0
    layers = [(BLACK, line + rim), (color, line)]
    if marked:
        layers = [(BLACK, 3 * line + rim), (WHITE, 3 * line), (color, line)]
    for layer, width in layers:
        cv2.rectangle(canvas, rect[:2], rect[2:], layer, width)


def put_text(
    canvas: np.ndarray, text: str, corner: tuple[int, int], font: Font, color: Color, ground: Color | None = None
) -> None:
    """Write a line of text into an image, cut where the image ends.

    Args:
        canvas (np.ndarray): (H, W, 3) uint8 BGR, written into.
        text (str): One line.
        corner (tuple[int, int]): x and y of its upper left corner.
        font (Font): Letters of the text.
        color (tuple[int, int, int]): BGR color of the text.
        ground (tuple[int, int, int], optional): BGR color of the rectangle behind it; the image
            itself if not given.
    """
    ink = font.ink(text)
    x, y = corner
    left, top = max(-x, 0), max(-y, 0)
    part = canvas[max(y, 0) : max(y + ink.shape[0], 0), max(x, 0) : max(x + ink.shape[1], 0)]
    ink = ink[top : top + part.shape[0], left : left + part.shape[1], None]
    below = part if ground is None else np.float32(ground)
    part[:] = np.rint(below * (1 - ink) + np.float32(color) * ink)


def put_label(canvas: np.ndarray, text: str, corner: tuple[int, int], color: Color) -> None:
    """Write text on a colored ground, moved into the image.

    Args:
        canvas (np.ndarray): (H, W, 3) uint8 BGR, written into.
        text (str): One line.
        corner (tuple[int, int]): x and y of its upper left corner.
        color (tuple[int, int, int]): BGR color of the ground.
    """
    height, width = canvas.shape[:2]
    font = Font.for_image(height, width)
    text = font.shorten(text, width)
    x = min(max(corner[0], 0), width - font.width(text))
    y = min(max(corner[1], 0), height - font.line_height)
    put_text(canvas, text, (x, y), font, text_color(color), color)


def titled_panels(panels: Sequence[np.ndarray], titles: Sequence[str]) -> np.ndarray:
    """Put images of one size into a row, each below its title.

    Args:
        panels (Sequence[np.ndarray]): (H, W, 3) uint8 BGR each.
        titles (Sequence[str]): Title of each image; cut where it is too long.

    Returns:
        np.ndarray: (H + :func:`title_height`, n * (W + margin) + margin, 3) uint8 BGR, the margin
        being :func:`panel_margin`.
    """
    check_glyphs(tuple(titles))
    height, width = panels[0].shape[:2]
    font, margin = Font.for_image(height, width), panel_margin(height, width)
    top = title_height(height, width)
    row = np.full((top + height, len(panels) * (width + margin) + margin, 3), GROUND, np.uint8)
    for i, (panel, title) in enumerate(zip(panels, titles)):
        left = margin + i * (width + margin)
        row[top:, left : left + width] = panel
        put_text(row, font.shorten(title, width), (left, margin // 2), font, WHITE)
    return row


def panel_margin(height: int, width: int) -> int:
    """Return the number of pixels between images of a size."""
    return max(4, Font.for_image(height, width).size // 2)


def title_height(height: int, width: int) -> int:
    """Return the height in pixels of the title above an image of a size."""
    return Font.for_image(height, width).line_height + panel_margin(height, width)
