# Copyright (c) mmrdn contributors. All rights reserved.
"""From results that come frame by frame to linked boxes."""

import numpy as np
from scipy.sparse import csr_array

from mmrdn.post_processing.base_box_linker import BaseBoxLinker
from mmrdn.utils.arrays import to_numpy


class VideoLinker:
    """Frames as they come, linked as soon as their video has ended.

    A frame is a dict with ``video_id``, ``frame_id``, ``bboxes`` (n, 4), ``scores``, ``labels``
    (n,) and, where relations were noted (see
    :class:`mmrdn.models.NextFrameRelations`), ``support_inds`` (n,) and
    ``link_relations``. These two are taken out; what they say about pairs of one class is kept as
    ``relations``, a sparse (n, n') array with the boxes of the next frame, ``next_img_id``, until
    the video ends.

    Linking replaces ``scores``, keeps the former ones as ``unlinked_scores``, and adds
    ``instance_ids`` (n,), the tubes, and ``num_linked``, the frames of the video.

    Args:
        linker (BaseBoxLinker, optional): Without one nothing is linked.
        keep_relations (bool): Whether relations stay when the video ends.
    """

    def __init__(self, linker: BaseBoxLinker | None = None, keep_relations: bool = False) -> None:
        self.linker = linker
        self.keep_relations = keep_relations
        self._frames: list[dict] = []  # of the current video

    @property
    def wants_relations(self) -> bool:
        """bool: Whether anybody reads relations."""
        return self.keep_relations or (self.linker is not None and self.linker.uses_relations)

    def push(self, frame: dict, video_length: int | None = None) -> None:
        """Take the next frame.

        Args:
            frame (dict): Changed in place, now and when its video ends.
            video_length (int, optional): Frames of its video.

        Raises:
            ValueError: There is a linker, and a frame was left out.
        """
        if self._frames and not self._goes_on(frame):
            self.finish()
        if self._frames and self.wants_relations:
            last = self._frames[-1]
            last['relations'] = pair_relations(last, frame)
            last['next_img_id'] = frame.get('img_id')
        _forget_noted(self._frames[-1:])
        if self.linker is None:
            self._frames.clear()
        self._frames.append(frame)
        if frame['frame_id'] is None or frame['video_id'] is None or frame['frame_id'] + 1 == video_length:
            self.finish()

    def _goes_on(self, frame: dict) -> bool:
        """Whether a frame is of the current video, behind its last one."""
        last = self._frames[-1]
        if frame['frame_id'] is None or frame['video_id'] != last['video_id'] or frame['frame_id'] <= last['frame_id']:
            return False
        if self.linker is not None and (frame['frame_id'] != last['frame_id'] + 1):
            raise ValueError(
                f'frame {frame["frame_id"]} of video {frame["video_id"]} came '
                f'after frame {last["frame_id"]}: box linking needs all '
                'frames of a video in order on one process, as VideoSampler '
                'gives them'
            )
        return True

    def finish(self) -> None:
        """The current video has ended: link its frames."""
        frames, self._frames = self._frames, []
        _forget_noted(frames[-1:])
        if not frames or self.linker is None:
            return
        relations = [frame.get('relations') for frame in frames[:-1]]
        linked = self.linker.trace(frames, relations)
        for frame, scores, ids in zip(frames, linked.scores, linked.ids):
            frame.update(unlinked_scores=frame['scores'], scores=scores, instance_ids=ids, num_linked=len(frames))
            if not self.keep_relations:
                frame.pop('relations', None)


def _forget_noted(frames: list[dict]) -> None:
    """Take out what a model noted."""
    for frame in frames:
        for name in ('link_relations', 'support_inds'):
            frame.pop(name, None)


def pair_relations(frame: dict, following: dict) -> csr_array | None:
    """Relation weights between the boxes of a frame and of the next one.

    Args:
        frame (dict): With ``labels`` (n,) and, if noted, ``link_relations``: ``detection_inds``
            (k,), ``weights`` (k, K), ``next_frame_id``.
        following (dict): With ``frame_id``, ``labels`` (n',) and, if noted, ``support_inds`` (n',).

    Returns:
        csr_array or None: (n, n') omega-bar of pairs of one class; None if
        nothing was noted, or of another frame than the one that follows.
    """
    noted, places = frame.get('link_relations'), following.get('support_inds')
    if noted is None or places is None or (noted['next_frame_id'] != following['frame_id']):
        return None
    rows, weights = (  # (k,) and (k, K)
        to_numpy(noted[name]) for name in ('detection_inds', 'weights')
    )
    places = to_numpy(places)  # (n',)
    columns = np.flatnonzero((places >= 0) & (places < weights.shape[1]))
    weights = weights[:, places[columns]]  # (k, c)
    labels, others = (np.asarray(f['labels']) for f in (frame, following))
    i, j = np.nonzero(labels[rows][:, None] == others[columns])
    return csr_array((weights[i, j], (rows[i], columns[j])), shape=(len(labels), len(others)))
