# Copyright (c) mmrdn contributors. All rights reserved.
"""Boxes with their labels: the one way in which mmrdn draws them."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from mmrdn.visualization.colors import BLACK, WHITE, Color, class_color, text_color
from mmrdn.visualization.text import font_size, line_height, put_text, shorten, text_width


class Rect(NamedTuple):
    """A rectangle in pixels; right and bottom are the last inside."""

    left: int
    top: int
    right: int
    bottom: int

    def overlap(self, other: 'Rect') -> int:
        """Pixels that two rectangles share."""
        width = min(self.right, other.right) - max(self.left, other.left) + 1
        height = min(self.bottom, other.bottom) - max(self.top, other.top) + 1
        return max(width, 0) * max(height, 0)


def check_image(image: np.ndarray, name: str = 'image') -> None:
    """Refuse anything but an (H, W, 3) uint8 picture.

    Raises:
        ValueError: With the name, shape and type of what it is.
    """
    good = (
        isinstance(image, np.ndarray)
        and image.dtype == np.uint8
        and image.ndim == 3
        and image.shape[2] == 3
        and image.size > 0
    )
    if not good:
        shape = getattr(image, 'shape', type(image).__name__)
        dtype = getattr(image, 'dtype', '')
        raise ValueError(f'{name} must be (height, width, 3) uint8 in colour, got {shape} {dtype}'.rstrip())


def check_boxes(bboxes: np.ndarray, labels: np.ndarray, classes: Sequence[str], scores: np.ndarray | None) -> None:
    """Refuse boxes that cannot be drawn.

    Raises:
        ValueError: With the number of the first faulty box, and its fault.
    """
    if bboxes.shape != (len(labels), 4):
        raise ValueError(f'{len(labels)} labels need boxes of shape ({len(labels)}, 4), got {bboxes.shape}')
    for i, (box, label) in enumerate(zip(bboxes, labels)):
        if not np.isfinite(box).all():
            raise ValueError(f'box {i}: {box.tolist()} is not finite')
        if box[2] < box[0] or box[3] < box[1]:
            raise ValueError(f'box {i}: {box.tolist()} is not x1 <= x2, y1 <= y2')
        if scores is not None and not np.isfinite(scores[i]):
            raise ValueError(f'box {i}: score {scores[i]} is not finite')
        if not 0 <= label < len(classes):
            raise ValueError(f'box {i}: label {label}, but there are {len(classes)} classes')


def line_width(height: int, width: int) -> int:
    """Line width in pixels that suits a picture's size."""
    return max(1, round(min(height, width) ** 0.5 / 8))


def draw_boxes(
    image: np.ndarray,
    bboxes: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    scores: np.ndarray | None = None,
    ids: np.ndarray | None = None,
    scale: int = 1,
    marked: int | None = None,
    line: int | None = None,
) -> np.ndarray:
    """Draw boxes with their class names, scores and numbers.

    Boxes are cut where the picture ends; one outside it is left out. Labels stay inside the picture
    and off each other where there is room, those of high scores first. A label that is too long
    loses its score, then its class name.

    Args:
        image (np.ndarray): (H, W, 3) uint8 BGR.
        bboxes (np.ndarray): (n, 4) xyxy, in pixels of ``image``.
        labels (np.ndarray): (n,) places in ``classes``.
        classes (Sequence[str]): Class names.
        scores (np.ndarray, optional): (n,).
        ids (np.ndarray, optional): (n,) tube of each box, negative for none.
        scale (int): How many times larger the picture is drawn.
        marked (int, optional): A box to be set off from the others.
        line (int, optional): Width of edges in pixels; what suits the size of the picture if not
            given.

    Returns:
        np.ndarray: (scale * H, scale * W, 3) uint8 BGR, a new picture.

    Raises:
        ValueError: The picture is grey, a box or score is not finite, a label has no class.
    """
    check_image(image)
    bboxes, labels = np.asarray(bboxes, float), np.asarray(labels)
    bboxes = bboxes.reshape(-1, 4) if bboxes.size == 0 else bboxes
    check_boxes(bboxes, labels, classes, scores)
    canvas = image.copy()
    if scale != 1:
        canvas = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    ranks = -np.asarray(scores) if scores is not None else np.arange(len(labels))
    order = [(i, visible_part(bboxes[i] * scale, canvas)) for i in np.argsort(ranks, kind='stable')]
    order = [(i, rect) for i, rect in order if rect is not None]
    if line is None:
        line = line_width(*canvas.shape[:2])
    for i, rect in reversed(order):  # the best ones over the others
        draw_box(canvas, rect, class_color(int(labels[i])), line, i == marked)
    placed: list[Rect] = []
    for i, rect in order:
        texts = _label_texts(
            classes[int(labels[i])], None if scores is None else scores[i], -1 if ids is None else int(ids[i])
        )
        _place_label(canvas, texts, rect, class_color(int(labels[i])), placed)
    return canvas


def visible_part(box: np.ndarray, canvas: np.ndarray) -> Rect | None:
    """The part of a box that is in the picture, None if there is none."""
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
        color (tuple[int, int, int]): BGR.
        line (int): Width of the line in pixels; thin ones have no rim.
        marked (bool): Whether to put white lines around the edges too.
    """
    rim = 2 if line > 1 else 0
    if marked:
        line, inner = 3 * line, line
        cv2.rectangle(canvas, rect[:2], rect[2:], BLACK, line + rim)
        cv2.rectangle(canvas, rect[:2], rect[2:], WHITE, line)
        cv2.rectangle(canvas, rect[:2], rect[2:], color, inner)
    else:
        cv2.rectangle(canvas, rect[:2], rect[2:], BLACK, line + rim)
        cv2.rectangle(canvas, rect[:2], rect[2:], color, line)


def _label_texts(name: str, score: float | None, number: int) -> list[str]:
    """What a label may say, from all of it to the least."""
    name = ' '.join(name.split())
    texts = [name]
    if score is not None:
        texts.insert(0, f'{name} {float(score):.2f}')
    if number < 0:
        return texts
    return [f'{text} #{number}' for text in texts] + [f'#{number}']


def _places(rect: Rect, width: int, height: int, shape: tuple[int, int]) -> list[Rect]:
    """Where the label of a box may be, in order of preference."""
    left, right = rect.left, rect.right + 1 - width
    above, below = rect.top - height, rect.bottom + 1
    corners = [
        (left, above),
        (left, below),
        (left, rect.top),
        (left, below - height),
        (right, above),
        (right, below),
        (right, rect.top),
        (right, below - height),
    ]
    places = []
    for x, y in corners:
        x = min(max(x, 0), shape[1] - width)
        if 0 <= y <= shape[0] - height:
            places.append(Rect(x, y, x + width - 1, y + height - 1))
    return places


def _place_label(canvas: np.ndarray, texts: Sequence[str], rect: Rect, color: Color, placed: list[Rect]) -> None:
    """Write the label of a box where it covers the least of others.

    Args:
        canvas (np.ndarray): (H, W, 3) uint8 BGR, written into.
        texts (Sequence[str]): What it may say, the first preferred.
        rect (Rect): The box.
        color (tuple[int, int, int]): Its colour.
        placed (list[Rect]): Labels that are there; this one is added.
    """
    shape = canvas.shape[:2]
    size = font_size(*shape)
    height = line_height(size)
    choices = []
    for text in texts:
        width = text_width(text, size)
        if width > shape[1]:
            continue
        for place in _places(rect, width, height, shape):
            covered = sum(place.overlap(other) for other in placed)
            choices.append((covered, text, place))
            if not covered:
                break
        if choices and not choices[-1][0]:
            break
    if not choices:
        return  # not even the shortest fits into the picture
    _, text, place = min(choices, key=lambda choice: choice[0])
    placed.append(place)
    put_text(canvas, text, place[:2], size, text_color(color), color)


def put_label(canvas: np.ndarray, text: str, corner: tuple[int, int], color: Color) -> None:
    """Write text on a coloured ground, moved into the picture.

    Args:
        canvas (np.ndarray): (H, W, 3) uint8 BGR, written into.
        text (str): One line.
        corner (tuple[int, int]): x and y of its upper left corner.
        color (tuple[int, int, int]): Of the ground, BGR.
    """
    height, width = canvas.shape[:2]
    size = font_size(height, width)
    text = shorten(text, size, width)
    x = min(max(corner[0], 0), width - text_width(text, size))
    y = min(max(corner[1], 0), height - line_height(size))
    put_text(canvas, text, (x, y), size, text_color(color), color)
