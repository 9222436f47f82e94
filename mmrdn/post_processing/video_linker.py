# Copyright (c) mmrdn contributors. All rights reserved.
"""Box linking of videos whose detections come frame by frame."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.sparse import csr_array

from mmrdn.post_processing.base_box_linker import BaseBoxLinker
from mmrdn.structures import FrameDetections


class VideoLinker:
    """Take detections frame by frame, and give them back linked when their video has ended.

    Recorded weights (``next_weights``) become ``relations`` between the boxes of consecutive
    frames as soon as the second one comes; if they are not needed, they are dropped.

    Args:
        linker (BaseBoxLinker, optional): Box linker; without one frames come back as they are.
        keep_relations (bool): Whether frames come back with their relations.
    """

    def __init__(self, linker: BaseBoxLinker | None = None, keep_relations: bool = False) -> None:
        self.linker = linker
        self.keep_relations = keep_relations
        self._wants_relations = keep_relations or (linker is not None and linker.uses_relations)
        self._frames: list[FrameDetections] = []  # of the current video, not given back yet

    def add(self, frame: FrameDetections, video_length: int | None = None) -> list[FrameDetections]:
        """Take the next frame; return frames that nothing can change any more, in order.

        Args:
            frame (FrameDetections): Next frame of the current video, or the first of another one.
            video_length (int, optional): Frames of its video; without it the video ends when
                another one begins, or with :meth:`finish`.

        Raises:
            ValueError: There is a linker, and a frame was left out.
        """
        if self.linker is None and not self.keep_relations:
            return [replace(frame, next_weights=None)]
        done = []
        if self._frames and not self._continues(frame):
            done = self.finish()
        if self._frames:
            last = self._frames[-1]
            relations = pair_relations(last, frame) if self._wants_relations else None
            self._frames[-1] = replace(last, relations=relations, next_img_id=frame.img_id, next_weights=None)
        if self.linker is None:
            done += self._frames
            self._frames = []
        self._frames.append(frame)
        if frame.frame_id is None or frame.video_id is None or frame.frame_id + 1 == video_length:
            done += self.finish()
        return done

    def _continues(self, frame: FrameDetections) -> bool:
        """Return whether a frame is of the current video and comes after its last one."""
        last = self._frames[-1]
        if frame.frame_id is None or last.frame_id is None or frame.video_id != last.video_id:
            return False
        if frame.frame_id <= last.frame_id:
            return False
        if self.linker is not None and frame.frame_id != last.frame_id + 1:
            raise ValueError(
                f'frame {frame.frame_id} of video {frame.video_id} came after frame {last.frame_id}: box linking '
                'needs all frames of a video in order on one process, as VideoSampler gives them'
            )
        return True

    def finish(self) -> list[FrameDetections]:
        """End the current video and return its remaining frames."""
        frames, self._frames = self._frames, []
        frames[-1:] = [replace(frame, next_weights=None) for frame in frames[-1:]]
        if self.linker is not None:
            frames = link_video(self.linker, frames)
        return frames if self.keep_relations else list(map(_without_relations, frames))


def link_video(linker: BaseBoxLinker, frames: Sequence[FrameDetections]) -> list[FrameDetections]:
    """Return the frames of a video with new scores and track ids, without the boxes that were suppressed.

    Each keeps the frame that it was as ``detected``, with its relations.

    Args:
        linker (BaseBoxLinker): Box linker.
        frames (Sequence[FrameDetections]): All frames in order, with ``relations`` where known.

    Raises:
        ValueError: A score is negative, or relations do not fit the boxes; names the frame.
    """
    linked = linker.trace(frames, [frame.relations for frame in frames[:-1]])
    results = zip(frames, linked.scores, linked.track_ids, linked.kept)
    return [frame.linked(scores, ids, kept, len(frames)) for frame, scores, ids, kept in results]


def _without_relations(frame: FrameDetections) -> FrameDetections:
    """Return a copy without relations, also of the frame before linking."""
    detected = None if frame.detected is None else _without_relations(frame.detected)
    return replace(frame, relations=None, next_img_id=None, detected=detected)


def pair_relations(frame: FrameDetections, following: FrameDetections) -> csr_array | None:
    """Return relation weights between the boxes of a frame and of the next one.

    Args:
        frame (FrameDetections): n boxes, with ``next_weights`` if they were recorded.
        following (FrameDetections): n' boxes, likewise.

    Returns:
        csr_array or None: (n, n') mean attention weights of pairs of one class; None if nothing was
        recorded, or of another frame than the one that follows.
    """
    recorded, others = frame.next_weights, following.next_weights
    if recorded is None or others is None or recorded.next_frame_id != following.frame_id:
        return None
    rows, weights, supports = recorded.detection_inds, recorded.weights, others.support_inds  # (k,), (k, K), (n',)
    columns = np.flatnonzero((supports >= 0) & (supports < weights.shape[1]))
    weights = weights[:, supports[columns]]  # (k, c)
    i, j = np.nonzero(frame.labels[rows][:, None] == following.labels[columns])
    return csr_array((weights[i, j], (rows[i], columns[j])), shape=(len(frame), len(following)))
