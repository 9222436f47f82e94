# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mmrdn.structures.frame_boxes import FrameBoxes


@dataclass(frozen=True, eq=False, kw_only=True)
class FrameAnnotations(FrameBoxes):
    """The ground truth of a frame.

    Boxes, labels and the names of the frame are those of :class:`FrameBoxes`.

    Attributes:
        instance_ids (list[Hashable], optional): n instances, each the same object in all frames of
            a video; None for a box that is a separate instance.
        motion_ious (np.ndarray, optional): (n,) see :func:`mmrdn.evaluation.motion_iou`.
        is_annotated (bool, optional): False for a frame that was not annotated, whose lack of boxes
            means nothing; None if unknown.

    Raises:
        ValueError: See :class:`FrameBoxes`; or a box has x2 < x1 or y2 < y1.
    """

    instance_ids: list[Hashable] | None = None
    motion_ious: np.ndarray | None = None
    is_annotated: bool | None = None

    optional: ClassVar[tuple[str, ...]] = ('motion_ious',)

    def __post_init__(self) -> None:
        super().__post_init__()
        wrong = (self.bboxes[:, 2:] < self.bboxes[:, :2]).any(axis=1)
        if wrong.any():
            raise self.error(f'bboxes must be xyxy with x2 >= x1 and y2 >= y1, got {self.bboxes[wrong][0].tolist()}')

    @property
    def is_left_out(self) -> bool:
        """bool: Whether the frame was not annotated, so that it is not counted."""
        return self.is_annotated is not None and not self.is_annotated


def is_visible(box: Sequence[float], width: int | None, height: int | None) -> bool:
    """Return whether a box (xyxy) reaches into its image; an unknown side sets no bound.

    Boxes are inclusive pixels: one with x1 == x2 is a pixel wide, and one with x2 == 0 shows the
    first column.
    """
    x1, y1, x2, y2 = box
    if x2 < x1 or y2 < y1:
        return False
    return x2 >= 0 and y2 >= 0 and (width is None or x1 < width) and (height is None or y1 < height)
