# Copyright (c) mmrdn contributors. All rights reserved.
"""Comparison of an exported file with PyTorch."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn

_TOLERANCE = 0.5  # pixels
_LEAST_SHARE = 0.95  # of proposals: near ties may be ranked otherwise


def parse_size(text: str) -> tuple[int, int]:
    """Return height and width, in pixels, of ``'128x160'``.

    Raises:
        ValueError: The text is something else.
    """
    found = re.fullmatch(r'([1-9]\d{0,4})x([1-9]\d{0,4})', text)
    if not found:
        raise ValueError(f'size must be HxW in pixels, such as 600x1000, got {text}')
    return int(found.group(1)), int(found.group(2))


def compare(
    extract: nn.Module, path: Path, sizes: Sequence[tuple[int, int]], divisor: int, same: bool = True
) -> dict[str, float]:
    """Run frames of noise through both.

    Args:
        extract (nn.Module): The graph in PyTorch.
        path (Path): ``extract.onnx``.
        sizes (Sequence[tuple[int, int]]): Heights and widths of the frames, pixels.
        divisor (int): Sides of padded frames are multiples of it.
        same (bool): Whether they must compute the same; of int8 only the shares are of interest.

    Returns:
        dict[str, float]: For each size the share of PyTorch's proposals that the file has too.

    Raises:
        ValueError: ONNX Runtime is not installed, or one of the shares is below 0.95.
    """
    try:
        import onnxruntime
    except ImportError:
        raise ValueError('to compare sizes, install the packages of requirements/deploy.txt') from None
    session = onnxruntime.InferenceSession(path)
    shares = {}
    for height, width in sizes:
        padded = [-(-side // divisor) * divisor for side in (height, width)]
        generator = torch.Generator().manual_seed(0)
        image = torch.zeros(1, 3, *padded)
        image[..., :height, :width] = torch.randn(1, 3, height, width, generator=generator)
        size = torch.tensor([[height, width]])
        with torch.inference_mode():
            (boxes,), (num,) = extract(image, size)[1:4:2]
        found = session.run(('boxes', 'num'), dict(image=image.numpy(), size=size.numpy()))
        expected, others = boxes[:num].numpy(), found[0][0, : found[1][0]]
        near = np.abs(expected[:, None] - others).max(2, initial=0) < _TOLERANCE  # (n, n')
        name = f'{height}x{width}'
        shares[name] = float(near.any(1).mean()) if len(near) else float(len(others) == 0)
        if same and shares[name] < _LEAST_SHARE:
            raise ValueError(f'{path.name} has {shares[name]:.0%} of the proposals of PyTorch at {name}')
    return shares
