# Copyright (c) mmrdn contributors. All rights reserved.
"""Recorders of relation weights in testing: paper sections 3.2 to 3.4 and Figure 3.

The weights are the mean attention weights (omega-bar, the mean of omega over heads) of the last
module of the basic stage. Legend: N key proposals, M supports of the pool, n detections.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
import torch.nn as nn
from mmengine.structures import InstanceData
from torch import Tensor

from mmrdn.models.memory.frame_proposals import FrameProposals
from mmrdn.models.memory.sliding_window import SlidingWindow
from mmrdn.registry import TASK_UTILS


class Recorder(Protocol):
    """Interface of recorders."""

    def record(self, frame: FrameProposals, window: SlidingWindow, weights: Tensor, rescale: bool = True) -> None:
        """Add records to the data sample of a key frame that has its detections.

        Args:
            frame (FrameProposals): N key proposals; the data sample has ``pred_det_instances``.
            window (SlidingWindow): The window that handed out the frame.
            weights (Tensor): (N, M) mean attention weights, columns as in the pool.
            rescale (bool): Whether boxes are those of the original frames.
        """


def build_recorders(cfgs: Sequence[dict], neck: nn.Module | None) -> list[Recorder]:
    """Build recorders of relation weights.

    Args:
        cfgs (Sequence[dict]): Configs such as ``dict(type='NextFrameRelations')``.
        neck (nn.Module, optional): The module whose weights are recorded.

    Returns:
        list[Recorder]: One a config.

    Raises:
        ValueError: One is something else, or there are no such weights.
    """
    recorders = [TASK_UTILS.build(cfg) for cfg in cfgs]
    for recorder in recorders:
        if not hasattr(recorder, 'record'):
            raise ValueError(
                f'recorders must record relation weights, such as NextFrameRelations, got a {type(recorder).__name__}'
            )
    if recorders and not getattr(neck, 'num_basic', 0):
        raise ValueError(
            'recorders need a neck with num_basic >= 1: they record weights of the last module of the basic stage'
        )
    return recorders


@TASK_UTILS.register_module()
class NextFrameRelations:
    """Recorder of the weights that box linking needs: paper section 3.4.

    The weight between detections i of frame t and j of frame t + 1 is the mean attention weight
    between the proposals that they came from. Those of frame t are the key proposals, those of
    frame t + 1 are supports in its pool if they are among the top K of their frame; else there is
    no weight between them. See ``mmrdn.post_processing`` for its use.

    Args:
        score_thr (float): Lowest score of a detection whose weights are recorded.
    """

    def __init__(self, score_thr: float = 0.01) -> None:
        self.score_thr = score_thr

    def record(self, frame: FrameProposals, window: SlidingWindow, weights: Tensor, rescale: bool = True) -> None:
        """Add ``link_relations`` and ``support_inds``; see :class:`Recorder`.

        ``pred_det_instances.support_inds`` (n,): index of each detection's proposal among the
        supports of the frame, -1 if it is not one. ``link_relations``: ``detection_inds`` (k,) of the
        detections that reach the threshold, ``weights`` (k, K) to the supports of the next frame,
        (k, 0) where the pool does not hold it, and its number ``next_frame_id``, None without one.
        """
        found = frame.data_sample.pred_det_instances
        supports = window.memory.sampler.select_support(frame.scores)
        support_inds = found.proposal_inds.new_full((len(frame),), -1)  # (N,)
        support_inds[supports] = torch.arange(len(supports), device=support_inds.device)
        found.support_inds = support_inds[found.proposal_inds]
        kept = (found.scores >= self.score_thr).nonzero()[:, 0]  # (k,)
        following = window.next_frame
        frame.data_sample.link_relations = InstanceData(
            metainfo=dict(next_frame_id=None if following is None else following.data_sample.metainfo.get('frame_id')),
            detection_inds=kept,
            weights=weights[found.proposal_inds[kept], window.columns(1)],
        )


@TASK_UTILS.register_module()
class TopSupports:
    """Recorder of the supports that carry the most relation weight.

    Args:
        num_supports (int): S, number of supports recorded for each detection.
        score_thr (float): Lowest score of a detection whose supports are recorded.
    """

    def __init__(self, num_supports: int = 5, score_thr: float = 0.3) -> None:
        if num_supports < 1:
            raise ValueError(f'num_supports must be 1 or more, got {num_supports}')
        self.num_supports = num_supports
        self.score_thr = score_thr

    def record(self, frame: FrameProposals, window: SlidingWindow, weights: Tensor, rescale: bool = True) -> None:
        """Add ``top_supports``; see :class:`Recorder`.

        ``detection_inds`` (k,) of the detections that reach the threshold; of their supports,
        highest weight first, ``frame_offsets`` (k, S) counted from this frame, ``bboxes`` (k, S, 4)
        xyxy and ``weights`` (k, S). Fewer than S if the pool is smaller.
        """
        found = frame.data_sample.pred_det_instances
        kept = (found.scores >= self.score_thr).nonzero()[:, 0]  # (k,)
        num = min(self.num_supports, weights.shape[1])
        top, inds = weights[found.proposal_inds[kept]].topk(num)  # (k, S)
        _, boxes, _, nums = window.memory.pool()
        offsets = torch.repeat_interleave(torch.tensor(window.offsets()), torch.tensor(nums))  # (M,)
        if rescale:  # each support by the scale of its own frame
            scales = boxes.new_tensor(window.scale_factors).repeat(1, 2)
            boxes = boxes / scales.repeat_interleave(torch.tensor(nums, device=boxes.device), 0)  # (M, 4)
        frame.data_sample.top_supports = InstanceData(
            detection_inds=kept, frame_offsets=offsets.to(inds.device)[inds], bboxes=boxes[inds], weights=top
        )
