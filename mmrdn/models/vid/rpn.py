# Copyright (c) mmrdn contributors. All rights reserved.
"""RPN of a detector, in fp32 under autocast too.

Box coordinates need it, and mmcv's NMS knows no bf16.
"""

import torch
import torch.nn as nn
from mmengine.structures import InstanceData
from mmtrack.structures import TrackDataSample
from mmtrack.utils import SampleList
from torch import Tensor


def rpn_losses(detector: nn.Module, x: tuple[Tensor], data_samples: SampleList) -> tuple[dict, list[InstanceData]]:
    """Return losses and proposals of frames with ground truth.

    Args:
        detector (nn.Module): A two-stage detector of mmdet.
        x (tuple[Tensor]): Feature maps of B frames, each (B, c, h, w).
        data_samples (list[TrackDataSample]): B samples.

    Returns:
        tuple[dict, list[InstanceData]]: Loss components; B times ``bboxes``
        and ``scores``.
    """
    x = tuple(level.float() for level in x)
    with torch.autocast(x[0].device.type, enabled=False):
        losses, proposals = detector.rpn_head.loss_and_predict(
            x,
            [_one_class(sample) for sample in data_samples],
            proposal_cfg=detector.train_cfg.get('rpn_proposal', detector.test_cfg.rpn),
        )
    return losses, list(proposals)


def rpn_proposals(detector: nn.Module, x: tuple[Tensor], data_samples: SampleList) -> list[InstanceData]:
    """Return proposals of frames; arguments as in :func:`rpn_losses`."""
    x = tuple(level.float() for level in x)
    with torch.autocast(x[0].device.type, enabled=False):
        return list(detector.rpn_head.predict(x, data_samples, rescale=False))


def _one_class(data_sample: TrackDataSample) -> TrackDataSample:
    """Return a sample with the ground truth that RPN learns: one class, objects."""
    sample = TrackDataSample(metainfo=data_sample.metainfo)
    sample.gt_instances = InstanceData(
        bboxes=data_sample.gt_instances.bboxes, labels=torch.zeros_like(data_sample.gt_instances.labels)
    )
    if 'ignored_instances' in data_sample:
        sample.ignored_instances = data_sample.ignored_instances
    return sample
