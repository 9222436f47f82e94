# Copyright (c) mmrdn contributors. All rights reserved.
import math

import numpy as np
import pytest
import torch

from helpers import naive_mega
from mmrdn.models import InclusiveDeltaXYWHBBoxCoder

STDS = (0.1, 0.1, 0.2, 0.2)  # weights 10, 10, 5, 5


def boxes(num, seed=0):
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(num, 2, generator=generator, dtype=torch.double) * 90
    size = torch.rand(num, 2, generator=generator, dtype=torch.double) * 40
    return torch.cat([corner, corner + size], 1)


def test_by_hand():
    """10 pixels, 0 to 9, moved by half their width and made twice as wide."""
    coder = InclusiveDeltaXYWHBBoxCoder()
    box = torch.tensor([[0.0, 0.0, 9.0, 9.0]])
    deltas = torch.tensor([[0.5, 0.0, math.log(2.0), 0.0]])
    # Middle 5 -> 10, width 20: pixels 0 to 19. The height stays.
    expected = torch.tensor([[0.0, 0.0, 19.0, 9.0]])
    torch.testing.assert_close(coder.decode(box, deltas), expected)
    torch.testing.assert_close(coder.encode(box, expected), deltas)
    torch.testing.assert_close(  # last pixels of an image of 8 x 15
        coder.decode(box, deltas, max_shape=(8, 15)), torch.tensor([[0.0, 0.0, 14.0, 7.0]])
    )


@pytest.mark.parametrize('classes', [1, 3])
def test_decoding_equals_the_formula(classes):
    coder = InclusiveDeltaXYWHBBoxCoder(target_stds=STDS)
    generator = torch.Generator().manual_seed(1)
    given = boxes(40)
    deltas = torch.randn(40, 4 * classes, generator=generator, dtype=torch.double) * 5
    deltas[0, 2:4] = torch.tensor([30.0, -40.0])  # past the bound, and below
    out = coder.decode(given, deltas, max_shape=(100, 120))
    for box, row, decoded in zip(given, deltas, out):
        for c in range(classes):
            expected = naive_mega.decode(box, row[4 * c : 4 * c + 4], (10, 10, 5, 5), (100, 120))
            np.testing.assert_allclose(decoded[4 * c : 4 * c + 4], expected)
    assert out[:, 0::4].max() <= 119 and out.min() == 0


def test_encoding_is_the_inverse():
    coder = InclusiveDeltaXYWHBBoxCoder(target_stds=STDS)
    given, wanted = boxes(30), boxes(30, seed=1)
    deltas = coder.encode(given, wanted)  # in fp32, as mmdet does it
    torch.testing.assert_close(coder.decode(given, deltas.double()), wanted, atol=1e-4, rtol=0)


def test_no_boxes():
    coder = InclusiveDeltaXYWHBBoxCoder()
    empty = torch.zeros(0, 4)
    assert coder.decode(empty, torch.zeros(0, 12)).shape == (0, 12)
    assert coder.encode(empty, empty).shape == (0, 4)
