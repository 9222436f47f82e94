# Copyright (c) mmrdn contributors. All rights reserved.
"""Relation weights between the boxes of consecutive frames: paper section 3.4.

The weight between detections i of frame t and j of frame t + 1 is omega-bar between the proposals
that they came from. Those of frame t are the reference proposals, those of frame t + 1 are supports
in its pool if they are among the top K of their frame; else there is no weight between them.
"""

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from mmrdn.models.memory.frame_proposals import FrameProposals
from mmrdn.models.memory.sliding_window import SlidingWindow
from mmrdn.registry import TASK_UTILS


@TASK_UTILS.register_module()
class NextFrameRelations:
    """Note what box linking needs, see ``mmrdn.post_processing``.

    Args:
        score_thr (float): Weights are kept of detections that reach it.
    """

    def __init__(self, score_thr: float = 0.01) -> None:
        self.score_thr = score_thr

    def record(self, frame: FrameProposals, window: SlidingWindow, weights: Tensor, rescale: bool = True) -> None:
        """Add to the data sample of a frame that was detected.

        ``pred_det_instances.support_inds`` (n,): place among the supports of the frame of each
        detection's proposal, -1 if it is none. ``link_relations``: ``detection_inds`` (k,) of the
        detections that reach the threshold, ``weights`` (k, K), omega-bar to the supports of the
        next frame, (k, 0) where the pool does not hold it, and its number ``next_frame_id``, None
        without one.

        Args:
            frame (FrameProposals): N proposals, with their detections.
            window (SlidingWindow): That handed out the frame.
            weights (Tensor): (N, M) omega-bar, columns as in the pool.
            rescale (bool): Not read.
        """
        found = frame.data_sample.pred_det_instances
        supports = window.memory.sampler.select_support(frame.scores)
        places = found.proposal_inds.new_full((len(frame),), -1)  # (N,)
        places[supports] = torch.arange(len(supports), device=places.device)
        found.support_inds = places[found.proposal_inds]
        kept = (found.scores >= self.score_thr).nonzero()[:, 0]  # (k,)
        following = window.next_frame
        frame.data_sample.link_relations = InstanceData(
            metainfo=dict(next_frame_id=None if following is None else following.data_sample.metainfo.get('frame_id')),
            detection_inds=kept,
            weights=weights[found.proposal_inds[kept], window.columns(1)],
        )
