# Copyright (c) mmrdn contributors. All rights reserved.
"""A strip that shows the supports that a detection rests on, in a row (paper, Figure 3)."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from mmrdn.visualization import canvas
from mmrdn.visualization.font import Font

CONTEXT = 2.0  # side of a crop, in longer sides of its box
MISSING = 96  # gray level in place of an image that is missing


class Support(NamedTuple):
    """A support of a detection, and its share of the relation weight."""

    offset: int  # frames from the detection's own
    bbox: Sequence[float]  # (4,) xyxy in pixels
    weight: float  # mean attention weight


class StripLayout:
    """Sizes of a strip below images of one size, in pixels.

    Args:
        height (int): Height of the image.
        width (int): Width of the image.
        num_supports (int): Number of crops wanted; fewer where titles would not fit.
        font_file (str, optional): Font file of the titles, see :class:`Font`.
    """

    def __init__(self, height: int, width: int, num_supports: int, font_file: str | None = None) -> None:
        self.width = width
        self.font = Font.for_image(height, width, font_file)
        self.margin = canvas.panel_margin(height, width)
        self.line = self.font.line_height
        narrowest = self.font.width('00.0%') + self.margin
        self.num_tiles = min(num_supports + 1, max((width - self.margin) // narrowest, 1))
        slot = (width - self.margin) // self.num_tiles
        self.tile = max(min(slot - self.margin, height // 4), 1)
        used = self.num_tiles * (self.tile + self.margin) - self.margin
        self.left = (width - used) // 2
        one_line = self.font.width('t-00 00.0%')
        self.num_lines = 1 if one_line <= self.tile else 2
        self.height = 2 * self.margin + self.num_lines * self.line + self.tile


def format_offset(offset: int) -> str:
    """Return 't' for the frame itself, 't-7' and 't+3' for others."""
    return f't{offset:+d}' if offset else 't'


def format_weight(weight: float) -> str:
    """Return percent, with as many digits as tell small weights apart."""
    percent = 100 * weight
    return f'{percent:.0f}%' if percent >= 9.95 else f'{percent:.1f}%'


def crop_around(image: np.ndarray, bbox: Sequence[float], side: int, color: canvas.Color) -> np.ndarray:
    """Return a square crop with a box in its middle, and the box drawn.

    The square is moved into the image, or shrunk if it is larger.

    Args:
        image (np.ndarray): (H, W, 3) uint8 BGR.
        bbox (Sequence[float]): (4,) xyxy in pixels of ``image``.
        side (int): Side of the crop, in pixels.
        color (tuple[int, int, int]): BGR color of the box.

    Returns:
        np.ndarray: (side, side, 3) uint8 BGR.
    """
    x1, y1, x2, y2 = bbox
    height, width = image.shape[:2]
    extent = CONTEXT * max(x2 - x1, y2 - y1, 8)
    extent = int(min(extent, height, width))
    left = int(np.clip((x1 + x2 - extent) / 2, 0, width - extent))
    top = int(np.clip((y1 + y2 - extent) / 2, 0, height - extent))
    part = image[top : top + extent, left : left + extent]
    mode = cv2.INTER_AREA if extent > side else cv2.INTER_CUBIC
    crop = cv2.resize(part, (side, side), interpolation=mode)
    shifted = (np.reshape(bbox, (2, 2)) - [left, top]) * side / extent
    rect = canvas.visible_part(shifted.ravel(), crop)
    if rect is not None:
        line = canvas.line_width(4 * side, 4 * side)  # a tile is a quarter as high
        canvas.draw_box(crop, rect, color, line)
    return crop


def draw_strip(
    layout: StripLayout,
    titles: tuple[str, str],
    detection: tuple[np.ndarray, Sequence[float]],
    color: canvas.Color,
    supports: Sequence[Support],
    images: Mapping[int, np.ndarray],
) -> np.ndarray:
    """Draw a detection and, right of it, its supports with offset and weight.

    A bar at the foot of a support shows its weight relative to the heaviest.

    Args:
        layout (StripLayout): Sizes of the strip.
        titles (tuple[str, str]): Class and score of the detection.
        detection (tuple[np.ndarray, Sequence[float]]): The frame, (H, W, 3) uint8 BGR, and the
            detection's box, (4,) xyxy.
        color (tuple[int, int, int]): BGR color of its class.
        supports (Sequence[Support]): Supports, highest weight first.
        images (Mapping[int, np.ndarray]): Images by frame offset. The tile of a support whose image
            is missing stays gray.

    Returns:
        np.ndarray: (layout.height, layout.width, 3) uint8 BGR.
    """
    strip, side = empty_strip(layout), layout.tile
    tile = crop_around(*detection, side, color)
    frame = canvas.line_width(4 * side, 4 * side)
    cv2.rectangle(tile, (0, 0), (side - 1, side - 1), canvas.WHITE, 2 * frame - 1)
    _put_tile(strip, layout, 0, titles, tile)
    heaviest = max((support.weight for support in supports), default=0)
    for i, support in enumerate(supports[: layout.num_tiles - 1], 1):
        offset = support.offset
        tile = np.full((side, side, 3), MISSING, np.uint8)
        if offset in images:
            canvas.check_image(images[offset], f'supports[{offset}]')
            tile = crop_around(images[offset], support.bbox, side, color)
        bar = round(side * support.weight / heaviest) if heaviest else 0
        tile[-max(2, side // 24) :, :bar] = color
        texts = format_offset(offset), format_weight(support.weight)
        _put_tile(strip, layout, i, texts, tile)
    return strip


def empty_strip(layout: StripLayout) -> np.ndarray:
    """Return the strip of a frame without a detection."""
    return np.full((layout.height, layout.width, 3), canvas.GROUND, np.uint8)


def _put_tile(strip: np.ndarray, layout: StripLayout, number: int, titles: tuple[str, str], tile: np.ndarray) -> None:
    """Put the tile of that number, from the left, into the strip, its titles above it."""
    left = layout.left + number * (layout.tile + layout.margin)
    top, font = layout.margin, layout.font
    first, second = titles
    right = left + layout.tile - font.width(second)
    if layout.num_lines == 2:
        canvas.put_text(strip, second, (left, top + layout.line), font, canvas.WHITE)
        first = font.shorten(first, layout.tile)
    else:
        canvas.put_text(strip, second, (right, top), font, canvas.WHITE)
        first = font.shorten(first, right - left)
    canvas.put_text(strip, first, (left, top), font, canvas.WHITE)
    top += layout.num_lines * layout.line
    strip[top : top + layout.tile, left : left + layout.tile] = tile
