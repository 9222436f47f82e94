# Copyright (c) mmrdn contributors. All rights reserved.
"""RoIAlign and NMS, alone and in whole detectors: ours against those that mmcv compiles."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import torch
from mmengine.config import Config
from mmengine.structures import InstanceData

from mmrdn.benchmarks.relation import check_equal
from mmrdn.benchmarks.timing import take_turns
from mmrdn.benchmarks.whole_frame import CONFIGS, SINGLE, SIZE, random_model, rdn_frames, sample
from mmrdn.ops import mmcv_ext

SELSA = CONFIGS.parent / 'selsa' / 'selsa_faster-rcnn_r18_1xb1-6000_movingdigits.py'
FEATURES = (2048, 38, 63)  # C, H, W of stride 16, an image of 600 x 1000 pixels


@contextlib.contextmanager
def operators(ext: Any) -> Iterator[None]:
    """Give ``mmcv.ops.roi_align`` and ``mmcv.ops.nms`` an extension module for a while."""
    with contextlib.ExitStack() as stack:
        for name in ('roi_align', 'nms'):
            stack.enter_context(mock.patch.object(sys.modules[f'mmcv.ops.{name}'], 'ext_module', ext))
        yield


def random_rois(num: int, generator: torch.Generator) -> torch.Tensor:
    """Draw (num, 5) RoIs of 32 to 332 pixels in an image of 600 x 1000."""
    corner = torch.rand(num, 2, generator=generator) * torch.tensor([800.0, 450.0])
    far = corner + 32 + 300 * torch.rand(num, 2, generator=generator)
    return torch.cat([torch.zeros(num, 1), corner, torch.minimum(far, torch.tensor([1000.0, 600.0]))], 1)


def selsa_step(seed: int) -> Callable[[], torch.Tensor]:
    """Make the training step (losses and gradients) of the small SELSA on random images."""
    model = random_model(Config.fromfile(SELSA).model, seed).train()
    size, generator = (160, 160), torch.Generator().manual_seed(seed)
    images = [torch.randn(1, num, 3, *size, generator=generator) for num in (1, 2)]
    data = sample(0, size)
    boxes = torch.tensor([[10.0, 20, 60, 70], [80, 30, 120, 90], [50, 100, 90, 150]])
    data.gt_instances = InstanceData(bboxes=boxes, labels=torch.tensor([0, 1, 2]))

    def step() -> torch.Tensor:
        torch.manual_seed(seed)  # of the samplers: the same RoIs each time
        losses = model.loss(dict(img=images[0], ref_img=images[1]), [data.clone()])
        loss = model.parse_losses(losses)[0]
        loss.backward()
        return loss.detach()

    return step


def time_operators(repeats: int, seed: int = 0, quick: bool = False) -> dict[str, Any]:
    """Time our operators, and mmcv's beside them where mmcv is compiled.

    Args:
        repeats (int): Rounds that count.
        seed (int): Seed of inputs and weights.
        quick (bool): Whether to leave out whole detectors.

    Returns:
        dict[str, Any]: Summary of seconds by operator and contender.
    """
    from mmcv.ops import nms, roi_align

    compiled = sys.modules['mmcv._ext']
    contenders = {'ours': mmcv_ext}
    if not getattr(compiled, 'is_stand_in', False):
        contenders['compiled'] = compiled
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(1, *FEATURES, generator=generator)
    rois, boxes = random_rois(300, generator), random_rois(6000, generator)[:, 1:]
    scores = torch.rand(6000, generator=generator)

    def forward(inputs: torch.Tensor = features) -> torch.Tensor:
        return roi_align(inputs, rois, 7, 1 / 16, 0, 'avg', True)

    def both() -> torch.Tensor:
        inputs = features.clone().requires_grad_()
        out = forward(inputs)
        out.backward(out.detach())
        return inputs.grad

    def suppress() -> torch.Tensor:
        return nms(boxes, scores, 0.7)[1].float()

    tasks: dict[str, Callable[[], Any]] = {
        'RoIAlign, 300 x 2048 x 38x63': forward,
        'RoIAlign, forward and backward': both,
        'NMS, 6000 boxes': suppress,
    }
    if not quick:
        model = random_model(Config.fromfile(CONFIGS / SINGLE.format('r101')).model, seed)
        tasks['single frame r101, 600x1000'] = rdn_frames(model, torch.randn(1, 1, 3, *SIZE, generator=generator))
        tasks['SELSA r18, training step'] = selsa_step(seed)
    result: dict[str, Any] = {}
    for task, run in tasks.items():
        runs = {f'{task}, {name}': operators(ext)(run) for name, ext in contenders.items()}
        outs = [out for out in (run() for run in runs.values()) if out is not None]
        if outs:
            check_equal(outs[0], outs[-1], task)
        result.update(take_turns(runs, repeats))
    if 'compiled' not in contenders:
        result['note'] = 'mmcv is not compiled (make setup OPS=compiled): ours alone'
    return result
