# Copyright (c) mmrdn contributors. All rights reserved.
"""Detections of a frame, drawn: the one way in which mmrdn draws boxes with their labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mmrdn.structures.frame_detections import FrameDetections
from mmrdn.visualization.canvas import (
    Color,
    Rect,
    check_image,
    class_color,
    draw_box,
    font_size,
    line_height,
    line_width,
    put_text,
    text_color,
    text_width,
    visible_part,
)
from mmrdn.visualization.support_strip import StripLayout, Support, draw_strip, empty_strip


@dataclass(frozen=True)
class FrameDrawer:
    """Draw the detections of video frames, and the supports that they rest on.

    Attributes:
        classes (Sequence[str]): Class names.
        score_thr (float): Score below which detections are not drawn.
        num_supports (int): Largest number of supports in the strip.
        scale (int): Factor by which images are drawn larger. At 1, those of few pixels have room
            for few labels.
        line_width (float, optional): Width of the edges of boxes, in pixels; a width that suits the
            size of the image if not given.
    """

    classes: Sequence[str]
    score_thr: float = 0.3
    num_supports: int = 5
    scale: int = 1
    line_width: float | None = None

    def __post_init__(self) -> None:
        for key in ('num_supports', 'scale'):
            value = getattr(self, key)
            if value < 1 or value != int(value):
                raise ValueError(f'{key} must be 1, 2 or more, got {value}')
        if self.line_width is not None and not self.line_width >= 1:
            raise ValueError(f'line_width must be 1 pixel or more, got {self.line_width}')

    def draw(
        self,
        image: np.ndarray,
        detections: FrameDetections,
        supports: Mapping[int, np.ndarray] | None = None,
        explain: int | None = None,
    ) -> np.ndarray:
        """Draw the detections of a frame.

        Args:
            image (np.ndarray): (H, W, 3) uint8 BGR.
            detections (FrameDetections): Detections of the frame.
            supports (Mapping[int, np.ndarray], optional): Frames of the window, like ``image``, by
                their offset from it. If given, a strip below the image shows the supports of one
                detection, from ``detections.top_supports``.
            explain (int, optional): Index of that detection; the one with the highest score if not
                given.

        Returns:
            np.ndarray: (H', W', 3) uint8 BGR, H' = scale * H and W' = scale * W. With ``supports``
            H' grows by the strip, which has the same height for all images of a size.

        Raises:
            ValueError: The image, a box or a label cannot be drawn, or nothing is known about the
                supports.
        """
        keep = detections.scores >= self.score_thr
        shown = detections.select(keep)
        boxes = (shown.bboxes, shown.labels, shown.scores, shown.track_ids)
        if supports is None:
            return self.draw_boxes(image, *boxes)
        row = self._explained_row(detections, explain)
        chosen = None if row is None else int(detections.top_supports.detection_inds[row])
        drawn = self.draw_boxes(image, *boxes, marked=None if chosen is None else int(keep[:chosen].sum()))
        layout = StripLayout(*drawn.shape[:2], self.num_supports)
        if chosen is None:
            return np.vstack([drawn, empty_strip(layout)])
        label, top = int(detections.labels[chosen]), detections.top_supports
        strip = draw_strip(
            layout,
            (self.classes[label], f'{detections.scores[chosen]:.2f}'),
            (image, detections.bboxes[chosen].tolist()),
            class_color(label),
            list(map(Support, top.frame_offsets[row].tolist(), top.bboxes[row].tolist(), top.weights[row].tolist())),
            supports,
        )
        return np.vstack([drawn, strip])

    def draw_boxes(
        self,
        image: np.ndarray,
        bboxes: np.ndarray,
        labels: np.ndarray,
        scores: np.ndarray | None = None,
        track_ids: np.ndarray | None = None,
        marked: int | None = None,
    ) -> np.ndarray:
        """Draw boxes with this drawer's class names and sizes, see :func:`draw_boxes`."""
        line = None if self.line_width is None else round(self.line_width)
        return draw_boxes(image, bboxes, labels, self.classes, scores, track_ids, self.scale, marked, line)

    def _explained_row(self, detections: FrameDetections, explain: int | None) -> int | None:
        """Return the row of ``top_supports`` to be shown, None if no detection has one."""
        if detections.top_supports is None:
            raise ValueError('the detections have no top_supports: append TopSupports to the recorders of the model')
        scores = detections.scores
        inds = detections.top_supports.detection_inds.tolist()
        shown = {i: row for row, i in enumerate(inds) if scores[i] >= self.score_thr}
        if explain is None:
            return shown[max(shown, key=lambda i: scores[i])] if shown else None
        if explain not in shown:
            raise ValueError(f'explain={explain}, but supports are known of detections {list(shown)} only')
        return shown[explain]


def draw_boxes(
    image: np.ndarray,
    bboxes: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    scores: np.ndarray | None = None,
    track_ids: np.ndarray | None = None,
    scale: int = 1,
    marked: int | None = None,
    line: int | None = None,
) -> np.ndarray:
    """Draw boxes with their class names, scores and track numbers.

    Boxes are cut where the image ends; one outside it is left out. Labels stay inside the image and
    off each other where there is room, those of high scores first. A label that is too long loses
    its score, then its class name.

    Args:
        image (np.ndarray): (H, W, 3) uint8 BGR.
        bboxes (np.ndarray): (n, 4) xyxy, in pixels of ``image``.
        labels (np.ndarray): (n,) indices into ``classes``.
        classes (Sequence[str]): Class names.
        scores (np.ndarray, optional): (n,) scores.
        track_ids (np.ndarray, optional): (n,) track of each box, negative for none.
        scale (int): Factor by which the image is drawn larger.
        marked (int, optional): Index of a box to be set off from the others.
        line (int, optional): Width of edges in pixels; :func:`line_width` if not given.

    Returns:
        np.ndarray: (scale * H, scale * W, 3) uint8 BGR, a new image.

    Raises:
        ValueError: The image is gray, a box or score is not finite, a label has no class.
    """
    check_image(image)
    bboxes, labels = np.asarray(bboxes, float), np.asarray(labels)
    bboxes = bboxes.reshape(-1, 4) if bboxes.size == 0 else bboxes
    _check_boxes(bboxes, labels, classes, scores)
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
            classes[int(labels[i])],
            None if scores is None else scores[i],
            -1 if track_ids is None else int(track_ids[i]),
        )
        _put_box_label(canvas, texts, rect, class_color(int(labels[i])), placed)
    return canvas


def _check_boxes(bboxes: np.ndarray, labels: np.ndarray, classes: Sequence[str], scores: np.ndarray | None) -> None:
    """Raise ValueError, with index and fault, for the first box that cannot be drawn."""
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


def _label_texts(name: str, score: float | None, number: int) -> list[str]:
    """Return the texts that a label may have, from the fullest to the shortest."""
    name = ' '.join(name.split())
    texts = [name]
    if score is not None:
        texts.insert(0, f'{name} {float(score):.2f}')
    if number < 0:
        return texts
    return [f'{text} #{number}' for text in texts] + [f'#{number}']


def _label_rects(rect: Rect, width: int, height: int, shape: tuple[int, int]) -> list[Rect]:
    """Return the rectangles where the label of a box may be, in order of preference."""
    above, below = rect.top - height, rect.bottom + 1
    rects = []
    for x in (rect.left, rect.right + 1 - width):
        for y in (above, below, rect.top, below - height):
            left = min(max(x, 0), shape[1] - width)
            if 0 <= y <= shape[0] - height:
                rects.append(Rect(left, y, left + width - 1, y + height - 1))
    return rects


def _put_box_label(canvas: np.ndarray, texts: Sequence[str], rect: Rect, color: Color, placed: list[Rect]) -> None:
    """Write the label of a box where it covers the least of others.

    Args:
        canvas (np.ndarray): (H, W, 3) uint8 BGR, written into.
        texts (Sequence[str]): Texts that it may have, the first preferred.
        rect (Rect): The box.
        color (tuple[int, int, int]): BGR color of the box.
        placed (list[Rect]): Labels that are there; this one is added.
    """
    shape = canvas.shape[:2]
    size = font_size(*shape)
    widths = {text: text_width(text, size) for text in texts}
    candidates = (
        (text, label)
        for text in texts
        if widths[text] <= shape[1]
        for label in _label_rects(rect, widths[text], line_height(size), shape)
    )
    best = None
    for text, label in candidates:
        covered = sum(label.overlap(other) for other in placed)
        if best is None or covered < best[0]:
            best = covered, text, label
        if not covered:
            break
    if best is None:
        return  # not even the shortest fits into the image
    _, text, label = best
    placed.append(label)
    put_text(canvas, text, label[:2], size, text_color(color), color)
