# Copyright (c) mmrdn contributors. All rights reserved.
"""Which supports a detection rests on: paper sections 3.2, 3.4, Figure 3."""

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from mmrdn.models.memory.frame_proposals import FrameProposals
from mmrdn.models.memory.sliding_window import SlidingWindow
from mmrdn.registry import TASK_UTILS


@TASK_UTILS.register_module()
class TopSupports:
    """Note the supports that carry the most relation weight (omega-bar).

    Args:
        num_supports (int): S, supports of each detection.
        score_thr (float): They are kept of detections that reach it.
    """

    def __init__(self, num_supports: int = 5, score_thr: float = 0.3) -> None:
        if num_supports < 1:
            raise ValueError(f'num_supports must be 1 or more, got {num_supports}')
        self.num_supports = num_supports
        self.score_thr = score_thr

    def record(self, frame: FrameProposals, window: SlidingWindow, weights: Tensor, rescale: bool = True) -> None:
        """Add ``top_supports`` to the data sample of a detected frame.

        ``detection_inds`` (k,) of the detections that reach the threshold; of their supports,
        highest weight first, ``frame_offsets`` (k, S) counted from this frame, ``bboxes`` (k, S, 4)
        xyxy and ``weights`` (k, S). Fewer than S if the pool is smaller.

        Args:
            frame (FrameProposals): N proposals, with their detections.
            window (SlidingWindow): That handed out the frame.
            weights (Tensor): (N, M) omega-bar, columns as in the pool.
            rescale (bool): Whether boxes are those of the original frames.
        """
        found = frame.data_sample.pred_det_instances
        kept = (found.scores >= self.score_thr).nonzero()[:, 0]  # (k,)
        num = min(self.num_supports, weights.shape[1])
        top, inds = weights[found.proposal_inds[kept]].topk(num)  # (k, S)
        _, boxes, _, nums = window.memory.pool()
        offsets = torch.repeat_interleave(torch.tensor(list(window.offsets())), torch.tensor(nums))  # (M,)
        if rescale:  # each support by the scale of its own frame
            scales = boxes.new_tensor(window.scale_factors).repeat(1, 2)
            boxes = boxes / scales.repeat_interleave(torch.tensor(nums, device=boxes.device), 0)  # (M, 4)
        frame.data_sample.top_supports = InstanceData(
            detection_inds=kept, frame_offsets=offsets.to(inds.device)[inds], bboxes=boxes[inds], weights=top
        )
