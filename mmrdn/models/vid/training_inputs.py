# Copyright (c) mmrdn contributors. All rights reserved.
"""Key frames and support frames of a training batch, as mmtrack packs them, and RPN's losses.

mmtrack calls the supports of a sample ``ref_img`` and their meta information ``ref_<key>``.
"""

import torch
import torch.nn as nn
from mmengine.structures import InstanceData
from mmtrack.structures import TrackDataSample
from mmtrack.utils import SampleList
from torch import Tensor


def training_frames(
    inputs: dict[str, Tensor], data_samples: SampleList, with_supports: bool
) -> tuple[Tensor, SampleList, list[int]]:
    """Return key frames, then the supports that repeat none of their pool.

    A still image of DET comes with copies of itself as supports, a short video with repeats: the
    pool holds each frame once.

    Args:
        inputs (dict[str, Tensor]): ``img`` (B, 1, 3, H, W) and, where there are supports,
            ``ref_img`` (B, S, 3, H, W).
        data_samples (list[TrackDataSample]): B samples.
        with_supports (bool): Whether supports are wanted.

    Returns:
        tuple: Images (B + S', 3, H, W), their data samples, and for each the
        index of the sample that it belongs to.
    """
    img = inputs['img']
    if img.ndim != 5 or img.shape[1] != 1:
        raise ValueError(f"inputs['img'] must be (B, 1, 3, H, W), got {tuple(img.shape)}")
    imgs, samples, owners = [img[:, 0]], list(data_samples), list(range(len(data_samples)))
    if not with_supports or 'ref_img' not in inputs:
        return imgs[0], samples, owners
    ref_img = inputs['ref_img']
    for i, data_sample in enumerate(data_samples):
        seen = {data_sample.metainfo.get('img_id')}
        for j, sample in enumerate(_support_samples(data_sample, ref_img.shape[1])):
            img_id = sample.metainfo.get('img_id', f'support {j}')
            if img_id not in seen:
                seen.add(img_id)
                imgs.append(ref_img[i, j : j + 1])
                samples.append(sample)
                owners.append(i)
    return torch.cat(imgs), samples, owners


def _support_samples(data_sample: TrackDataSample, num_supports: int) -> SampleList:
    """Return one data sample for each support frame of a training sample.

    ``ref_<key>`` is a list over supports, or the bare value where there is one support.
    """
    packed = {key[4:]: value for key, value in data_sample.metainfo.items() if key.startswith('ref_')}
    return [
        TrackDataSample(metainfo={key: value if num_supports == 1 else value[i] for key, value in packed.items()})
        for i in range(num_supports)
    ]


def plain_samples(inputs: dict[str, Tensor]) -> SampleList:
    """Make data samples for inputs that have none.

    Args:
        inputs (dict[str, Tensor]): Inputs as in :func:`training_frames`.

    Returns:
        list[TrackDataSample]: B samples that know image sizes alone.
    """
    shape = tuple(inputs['img'].shape[-2:])
    refs = inputs['ref_img'].shape[1] if 'ref_img' in inputs else 0
    return [
        TrackDataSample(metainfo=dict(img_shape=shape, ref_img_shape=shape if refs == 1 else [shape] * refs))
        for _ in inputs['img']
    ]


def rpn_losses(detector: nn.Module, x: tuple[Tensor], data_samples: SampleList) -> tuple[dict, list[InstanceData]]:
    """Return RPN's losses and proposals of frames with ground truth.

    RPN runs in fp32 under autocast too, see :meth:`RDN.propose`.

    Args:
        detector (nn.Module): A two-stage detector of mmdet.
        x (tuple[Tensor]): Feature maps of B frames, each (B, c, h, w).
        data_samples (list[TrackDataSample]): B samples.

    Returns:
        tuple[dict, list[InstanceData]]: Loss components; B times ``bboxes`` and ``scores``.
    """
    x = tuple(level.float() for level in x)
    with torch.autocast(x[0].device.type, enabled=False):
        losses, proposals = detector.rpn_head.loss_and_predict(
            x,
            [_one_class(sample) for sample in data_samples],
            proposal_cfg=detector.train_cfg.get('rpn_proposal', detector.test_cfg.rpn),
        )
    return losses, list(proposals)


def _one_class(data_sample: TrackDataSample) -> TrackDataSample:
    """Return a sample with the ground truth that RPN learns: one class, objects."""
    sample = TrackDataSample(metainfo=data_sample.metainfo)
    sample.gt_instances = InstanceData(
        bboxes=data_sample.gt_instances.bboxes, labels=torch.zeros_like(data_sample.gt_instances.labels)
    )
    if 'ignored_instances' in data_sample:
        sample.ignored_instances = data_sample.ignored_instances
    return sample
