# Copyright (c) mmrdn contributors. All rights reserved.

import torch
from mmtrack.structures import TrackDataSample
from mmtrack.utils import SampleList
from torch import Tensor

from mmrdn.models.vid.support_samples import support_samples


def training_frames(
    inputs: dict[str, Tensor], data_samples: SampleList, with_supports: bool
) -> tuple[Tensor, SampleList, list]:
    """Reference frames, then the supports that repeat none of their pool.

    A still image of DET comes with copies of itself as supports, a short video with repeats: the
    pool holds each frame once.

    Args:
        inputs (dict[str, Tensor]): ``img`` (B, 1, 3, H, W) and, where there are supports,
            ``ref_img`` (B, S, 3, H, W).
        data_samples (list[TrackDataSample]): B samples.
        with_supports (bool): Whether supports are wanted.

    Returns:
        tuple: Images (B + S', 3, H, W), S' data samples of supports, and for
        each the index of the sample that it belongs to.
    """
    img = inputs['img']
    if img.ndim != 5 or img.shape[1] != 1:
        raise ValueError(f"inputs['img'] must be (B, 1, 3, H, W), got {tuple(img.shape)}")
    imgs, supports, owners = [img[:, 0]], [], []
    if not with_supports or 'ref_img' not in inputs:
        return imgs[0], supports, owners
    ref_img = inputs['ref_img']
    for i, data_sample in enumerate(data_samples):
        seen = {data_sample.metainfo.get('img_id')}
        samples = support_samples(data_sample, ref_img.shape[1])
        for j, sample in enumerate(samples):
            img_id = sample.metainfo.get('img_id', f'support {j}')
            if img_id not in seen:
                seen.add(img_id)
                imgs.append(ref_img[i, j : j + 1])
                supports.append(sample)
                owners.append(i)
    return torch.cat(imgs), supports, owners


def plain_samples(inputs: dict[str, Tensor]) -> SampleList:
    """Data samples for inputs that come without.

    Args:
        inputs (dict[str, Tensor]): As above.

    Returns:
        list[TrackDataSample]: B samples that know sizes alone.
    """
    shape = tuple(inputs['img'].shape[-2:])
    refs = inputs['ref_img'].shape[1] if 'ref_img' in inputs else 0
    return [
        TrackDataSample(metainfo=dict(img_shape=shape, ref_img_shape=shape if refs == 1 else [shape] * refs))
        for _ in inputs['img']
    ]


def check_losses(total: Tensor, log_vars: dict[str, float]) -> None:
    """Refuse losses that are no numbers.

    Args:
        total (Tensor): Their sum.
        log_vars (dict[str, float]): Each of them.

    Raises:
        ValueError: One is NaN or infinite; names it.
    """
    if torch.isfinite(total):
        return
    names = [name for name, value in log_vars.items() if not torch.isfinite(torch.as_tensor(value)).all()]
    raise ValueError(f'{", ".join(names)} became NaN or infinite: the training diverged')
