# Copyright (c) mmrdn contributors. All rights reserved.
"""Detections of a frame, drawn: the one way in which mmrdn draws boxes with their labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mmrdn.structures.frame_boxes import FrameBoxes
from mmrdn.structures.frame_detections import FrameDetections
from mmrdn.visualization import canvas
from mmrdn.visualization.font import Font, check_glyphs
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
        font (str, optional): Font file of class names, TrueType or OpenType; where it lacks a
            character, or is not given, any font of the machine that has it, see :class:`Font`.
    """

    classes: Sequence[str]
    score_thr: float = 0.3
    num_supports: int = 5
    scale: int = 1
    line_width: float | None = None
    font: str | None = None

    def __post_init__(self) -> None:
        for key in ('num_supports', 'scale'):
            value = getattr(self, key)
            if value < 1 or value != int(value):
                raise ValueError(f'{key} must be 1, 2 or more, got {value}')
        if self.line_width is not None and not self.line_width >= 1:
            raise ValueError(f'line_width must be 1 pixel or more, got {self.line_width}')
        check_glyphs(tuple(self.classes), self.font)

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
        if supports is None:
            return self.draw_boxes(image, shown)
        row = self._explained_row(detections, explain)
        chosen = None if row is None else int(detections.top_supports.detection_inds[row])
        drawn = self.draw_boxes(image, shown, marked=None if chosen is None else int(keep[:chosen].sum()))
        layout = StripLayout(*drawn.shape[:2], self.num_supports, self.font)
        if chosen is None:
            return np.vstack([drawn, empty_strip(layout)])
        label, top = int(detections.labels[chosen]), detections.top_supports
        strip = draw_strip(
            layout,
            (self.classes[label], f'{detections.scores[chosen]:.2f}'),
            (image, detections.bboxes[chosen].tolist()),
            canvas.class_color(label),
            list(map(Support, top.frame_offsets[row].tolist(), top.bboxes[row].tolist(), top.weights[row].tolist())),
            supports,
        )
        return np.vstack([drawn, strip])

    def draw_boxes(self, image: np.ndarray, boxes: FrameBoxes, marked: int | None = None) -> np.ndarray:
        """Draw boxes with their class names, and with scores and track numbers where they have some.

        Boxes are cut where the image ends; one outside it is left out. Labels stay inside the image
        and off each other where there is room, those of high scores first. A label that is too long
        loses its score, then its class name.

        Args:
            image (np.ndarray): (H, W, 3) uint8 BGR.
            boxes (FrameDetections or FrameAnnotations): n boxes, in pixels of ``image``.
            marked (int, optional): Index of a box to be set off from the others.

        Returns:
            np.ndarray: (scale * H, scale * W, 3) uint8 BGR, a new image.

        Raises:
            ValueError: The image is gray, a box is upside down, a label has no class.
        """
        canvas.check_image(image)
        self._check(boxes)
        drawn = image.copy()
        if self.scale != 1:
            drawn = cv2.resize(image, None, fx=self.scale, fy=self.scale, interpolation=cv2.INTER_CUBIC)
        scores, tracks = (getattr(boxes, name, None) for name in ('scores', 'track_ids'))
        order = np.arange(len(boxes)) if scores is None else np.argsort(-scores, kind='stable')
        rects = {i: canvas.visible_part(boxes.bboxes[i].astype(float) * self.scale, drawn) for i in order}
        rects = {i: rect for i, rect in rects.items() if rect is not None}
        line = canvas.line_width(*drawn.shape[:2]) if self.line_width is None else round(self.line_width)
        for i in reversed(rects):  # the best ones over the others
            canvas.draw_box(drawn, rects[i], canvas.class_color(boxes.labels[i]), line, i == marked)
        placed: list[canvas.Rect] = []
        font = Font.for_image(*drawn.shape[:2], self.font)
        for i, rect in rects.items():
            score, track = None if scores is None else scores[i], -1 if tracks is None else tracks[i]
            texts = _label_texts(self.classes[boxes.labels[i]], score, track)
            _put_box_label(drawn, texts, font, rect, canvas.class_color(boxes.labels[i]), placed)
        return drawn

    def _check(self, boxes: FrameBoxes) -> None:
        """Raise ValueError, with index and fault, for the first box that cannot be drawn."""
        for i, (box, label) in enumerate(zip(boxes.bboxes.tolist(), boxes.labels)):
            if box[2] < box[0] or box[3] < box[1]:
                raise boxes.error(f'box {i}: {box} is not x1 <= x2, y1 <= y2')
            if not 0 <= label < len(self.classes):
                raise boxes.error(f'box {i}: label {label}, but there are {len(self.classes)} classes')

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


def _label_texts(name: str, score: float | None, number: int) -> list[str]:
    """Return the texts that a label may have, from the fullest to the shortest."""
    name = ' '.join(name.split())
    texts = [name]
    if score is not None:
        texts.insert(0, f'{name} {float(score):.2f}')
    if number < 0:
        return texts
    return [f'{text} #{number}' for text in texts] + [f'#{number}']


def _label_rects(rect: canvas.Rect, width: int, height: int, shape: tuple[int, int]) -> list[canvas.Rect]:
    """Return the rectangles where the label of a box may be, in order of preference."""
    if width > shape[1]:
        return []
    above, below = rect.top - height, rect.bottom + 1
    rects = []
    for x in (rect.left, rect.right + 1 - width):
        for y in (above, below, rect.top, below - height):
            left = min(max(x, 0), shape[1] - width)
            if 0 <= y <= shape[0] - height:
                rects.append(canvas.Rect(left, y, left + width - 1, y + height - 1))
    return rects


def _put_box_label(
    drawn: np.ndarray,
    texts: Sequence[str],
    font: Font,
    rect: canvas.Rect,
    color: canvas.Color,
    placed: list[canvas.Rect],
) -> None:
    """Write the label of a box where it covers the least of others.

    Args:
        drawn (np.ndarray): (H, W, 3) uint8 BGR, written into.
        texts (Sequence[str]): Texts that it may have, the first preferred.
        font (Font): Its letters.
        rect (Rect): The box.
        color (tuple[int, int, int]): BGR color of the box.
        placed (list[Rect]): Labels that are there; this one is added.
    """
    labels = [
        (text, label)
        for text in texts
        for label in _label_rects(rect, font.width(text), font.line_height, drawn.shape[:2])
    ]
    if labels:  # at least the shortest fits into the image
        text, label = min(labels, key=lambda item: sum(item[1].overlap(other) for other in placed))
        placed.append(label)
        canvas.put_text(drawn, text, label[:2], font, canvas.text_color(color), color)
