# Copyright (c) mmrdn contributors. All rights reserved.
"""From results that come frame by frame to linked boxes."""
from typing import List, Optional

import numpy as np
from scipy.sparse import csr_array

from mmrdn.utils.arrays import to_numpy
from .base_box_linker import BaseBoxLinker


class VideoLinker:
    """Frames as they come, linked as soon as their video has ended.

    A frame is a dict with ``video_id``, ``frame_id``, ``bboxes`` (n, 4),
    ``scores``, ``labels`` (n,) and, where relations were noted (see
    :class:`mmrdn.models.NextFrameRelations`), ``support_inds`` (n,) and
    ``link_relations``. Relations are kept of pairs of one class, as
    ``relations``, a sparse (n, n') array with the boxes of the next frame,
    ``next_img_id``.

    Linking replaces ``scores``, keeps the former ones as ``unlinked_scores``,
    adds ``instance_ids`` (n,), the tubes, and drops the relations.

    Args:
        linker (BaseBoxLinker, optional): Without one, relations are prepared
            and nothing is linked.
    """

    def __init__(self, linker: Optional[BaseBoxLinker] = None) -> None:
        self.linker = linker
        self._frames: List[dict] = []  # of the current video

    def push(self, frame: dict, video_length: Optional[int] = None) -> None:
        """Take the next frame.

        Args:
            frame (dict): Changed in place, now and when its video ends.
            video_length (int, optional): Frames of its video.
        """
        if self._frames:
            last = self._frames[-1]
            if (frame['frame_id'] is None
                    or frame['video_id'] != last['video_id']
                    or frame['frame_id'] <= last['frame_id']):
                self.finish()
        if self._frames:
            last = self._frames[-1]
            last['relations'] = pair_relations(last, frame)
            last['next_img_id'] = frame.get('img_id')
            last.pop('link_relations', None)
            last.pop('support_inds', None)
            if self.linker is None:
                self._frames.clear()
        self._frames.append(frame)
        if (frame['frame_id'] is None or frame['video_id'] is None
                or frame['frame_id'] + 1 == video_length):
            self.finish()

    def finish(self) -> None:
        """The current video has ended: link its frames."""
        frames, self._frames = self._frames, []
        if not frames:
            return
        for name in ('link_relations', 'support_inds'):
            frames[-1].pop(name, None)
        if self.linker is None:
            return
        relations = [frame.pop('relations', None) for frame in frames[:-1]]
        linked = self.linker.trace(frames, relations)
        for frame, scores, ids in zip(frames, linked.scores, linked.ids):
            frame.update(
                unlinked_scores=frame['scores'],
                scores=scores,
                instance_ids=ids)


def pair_relations(frame: dict, following: dict) -> Optional[csr_array]:
    """Relation weights between the boxes of a frame and of the next one.

    Args:
        frame (dict): n boxes, see :class:`VideoLinker`.
        following (dict): n' boxes.

    Returns:
        csr_array or None: (n, n') omega-bar of pairs of one class; None if
        nothing was noted.
    """
    noted, places = frame.get('link_relations'), following.get('support_inds')
    if noted is None or places is None:
        return None
    rows, weights = (  # (k,) and (k, K)
        to_numpy(noted[name]) for name in ('detection_inds', 'weights'))
    places = to_numpy(places)  # (n',)
    columns = np.flatnonzero((places >= 0) & (places < weights.shape[1]))
    weights = weights[:, places[columns]]  # (k, c)
    same = (
        np.asarray(frame['labels'])[rows][:, None] == np.asarray(
            following['labels'])[columns])
    i, j = np.nonzero(same)
    return csr_array((weights[i, j], (rows[i], columns[j])),
                     shape=(len(frame['labels']), len(following['labels'])))
