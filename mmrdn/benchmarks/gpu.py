# Copyright (c) mmrdn contributors. All rights reserved.
"""Relation and whole frames on a GPU, by precision."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

from mmrdn.benchmarks.relation import Setting, time_relation
from mmrdn.benchmarks.timing import take_turns
from mmrdn.benchmarks.whole_frame import random_image, resnet101_contenders, selsa_contenders

# By precision: dtype of autocast, and the largest difference between contenders, as a share of the norm.
_PRECISIONS = dict(fp32=(None, 1e-3), TF32=(None, 0.05), fp16=(torch.float16, 0.05), bf16=(torch.bfloat16, 0.05))


@contextlib.contextmanager
def _precision(name: str) -> Iterator[None]:
    """Compute in a precision; 'TF32' allows TF32 in convolutions and matrix products, the others nowhere."""
    backends = torch.backends.cuda.matmul, torch.backends.cudnn
    before = [backend.allow_tf32 for backend in backends]
    dtype, _ = _PRECISIONS[name]
    try:
        for backend in backends:
            backend.allow_tf32 = name == 'TF32'
        with torch.autocast('cuda', dtype=dtype, enabled=dtype is not None):
            yield
    finally:
        for backend, allowed in zip(backends, before):
            backend.allow_tf32 = allowed


def time_on_gpu(repeats: int, seed: int = 0, quick: bool = False) -> dict[str, Any]:
    """Time relation at T = 18 and whole frames with ResNet-101 in each precision.

    Args:
        repeats (int): Frames that count.
        seed (int): Seed of weights and inputs.
        quick (bool): Whether to leave out SELSA, which is timed in fp32 only.

    Returns:
        dict[str, Any]: Summaries by precision and contender, or a note if there is no GPU.
    """
    if not torch.cuda.is_available():
        return dict(note='not measured: no CUDA device')
    result: dict[str, Any] = {}
    for name, (_, tolerance) in _PRECISIONS.items():
        with _precision(name), torch.device('cuda'):
            result[f'{name}, relation'] = time_relation(Setting(), repeats, seed, tolerance=tolerance)
    image = random_image(seed).cuda()
    contenders = resnet101_contenders(image, seed)
    for name in _PRECISIONS:
        with _precision(name):
            times = take_turns(contenders, repeats)
        result |= {f'{name}, {contender}': row for contender, row in times.items()}
    if not quick:
        with _precision('fp32'):
            times = take_turns(selsa_contenders(image, seed), repeats)
        result |= {f'fp32, {contender}': row for contender, row in times.items()}
    return result
