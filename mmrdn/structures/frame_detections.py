# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mmrdn.structures.frame_boxes import FrameBoxes
from mmrdn.structures.recorded import NextFrameWeights, SupportWeights

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, eq=False, kw_only=True)
class FrameDetections(FrameBoxes):
    """The detections of a frame: linked, measured, drawn and written in this form.

    Boxes, labels and the names of the frame are those of :class:`FrameBoxes`.

    Attributes:
        scores (np.ndarray): (n,) floats.
        file_name (str, optional): File of the frame, where frames are files.
        time (float): Seconds since the first frame.
        width (int, optional): Width of the frame, pixels.
        height (int, optional): Height of the frame, pixels.
        track_ids (np.ndarray, optional): (n,) track of each box, -1 for none; None where nothing
            linked or tracked the boxes.
        detected (FrameDetections, optional): The frame before box linking, which may have more
            boxes; None where nothing linked them.
        detected_inds (np.ndarray, optional): (n,) index of each box in ``detected``.
        num_linked (int): Frames of the video that was linked, 0 where nothing linked the boxes.
        relations (csr_array, optional): (n, n') relation weights to the boxes of the next frame.
        next_img_id (int | str, optional): Image id of that next frame.
        next_weights (NextFrameWeights, optional): Recorded weights that ``relations`` come from.
        top_supports (SupportWeights, optional): Supports to be drawn beside the frame.

    Raises:
        ValueError: See :class:`FrameBoxes`.
    """

    scores: np.ndarray
    file_name: str | None = None
    time: float = 0.0
    width: int | None = None
    height: int | None = None
    track_ids: np.ndarray | None = None
    detected: 'FrameDetections | None' = None
    detected_inds: np.ndarray | None = None
    num_linked: int = 0
    relations: 'csr_array | None' = None
    next_img_id: int | str | None = None
    next_weights: NextFrameWeights | None = None
    top_supports: SupportWeights | None = None

    required: ClassVar[tuple[str, ...]] = ('bboxes', 'scores', 'labels')
    optional: ClassVar[tuple[str, ...]] = ('track_ids', 'detected_inds')

    def __iter__(self) -> Iterator[tuple[list[float], float, int, int | None]]:
        """Iterate over box, score, label and track (None if not known) of each detection."""
        tracks = [-1] * len(self) if self.track_ids is None else self.track_ids.tolist()
        for box, score, label, track in zip(self.bboxes.tolist(), self.scores.tolist(), self.labels.tolist(), tracks):
            yield box, score, label, track if track >= 0 else None

    def linked(self, scores: np.ndarray, track_ids: np.ndarray, kept: np.ndarray, num_linked: int) -> 'FrameDetections':
        """Return a copy with the results of box linking, which keeps this frame as ``detected``.

        Args:
            scores (np.ndarray): (n,) new scores.
            track_ids (np.ndarray): (n,) track of each box, -1 for none.
            kept (np.ndarray): (n,) bool, whether a box is there afterwards.
            num_linked (int): Frames that were linked together.
        """
        inds = np.arange(len(self))
        linked = replace(self, scores=scores, track_ids=track_ids, detected=self, detected_inds=inds)
        return replace(linked.select(kept), num_linked=num_linked)

    def unlinked(self) -> 'FrameDetections':
        """Return the frame before box linking, which is the frame itself where nothing linked it."""
        return self if self.detected is None else self.detected

    @property
    def unlinked_scores(self) -> np.ndarray | None:
        """np.ndarray: (n,) scores before box linking; None where nothing linked the boxes."""
        return None if self.detected is None else self.detected.scores[self.detected_inds]

    def above(self, score_thr: float) -> 'FrameDetections':
        """Return a copy with the detections whose score is at least ``score_thr``."""
        return self.select(self.scores >= score_thr)

    def of_labels(self, labels: Sequence[int] | None) -> 'FrameDetections':
        """Return a copy with the detections of some classes, or the detections themselves for None."""
        return self if labels is None else self.select(np.isin(self.labels, labels))

    def select(self, keep: np.ndarray) -> 'FrameDetections':
        """Return a copy with some of the detections; relations to the next frame are left out.

        Args:
            keep (np.ndarray): (n,) bool.
        """
        arrays = {field: getattr(self, field) for field in (*self.required, *self.optional)}
        selected: dict[str, Any] = {field: None if values is None else values[keep] for field, values in arrays.items()}
        supports = None if self.top_supports is None else self.top_supports.select(keep)
        return replace(self, **selected, top_supports=supports, relations=None, next_img_id=None, next_weights=None)
