# Copyright (c) mmrdn contributors. All rights reserved.
import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mmrdn.models.layers import (
    angle_factors,
    attend,
    attend_parts,
    box_terms,
    geometry_tiles,
    geometry_weights,
    merge_parts,
    pairwise_geometry_encoding,
    sine_arguments,
)
from mmrdn.models.necks.projected_supports import tile_shape

FACTORS = angle_factors(64, 1000.0, torch.empty(0, dtype=torch.double))


def random_boxes(n, generator, dtype=torch.double):
    corner = torch.rand(n, 2, generator=generator, dtype=dtype) * 1000
    size = torch.rand(n, 2, generator=generator, dtype=dtype) * 400
    return torch.cat([corner, corner + size], 1)


@pytest.mark.parametrize('offset', [0.0, 1.0])
@pytest.mark.parametrize('dims, wave_length', [(8, 10.0), (64, 1000.0)])
@pytest.mark.parametrize('num, supports, columns', [(1, 1, 1), (5, 9, 9), (5, 9, 4), (0, 3, 3)])
def test_geometry_equals_the_encoding_of_each_pair(num, supports, columns, dims, wave_length, offset):
    generator = torch.Generator().manual_seed(num)
    boxes = random_boxes(num, generator)
    others = random_boxes(supports, generator)
    if num:  # a box with itself, and one without an extent
        others[0] = boxes[0]
        boxes[-1, 2:] = boxes[-1, :2]
    weight = torch.randn(6, dims, generator=generator, dtype=torch.double)
    bias = torch.randn(6, generator=generator, dtype=torch.double)
    encoding = pairwise_geometry_encoding(boxes, others, dims, wave_length, offset)
    expected = (encoding @ weight.t() + bias).permute(2, 0, 1).clamp(min=1e-6)
    factors = angle_factors(dims, wave_length, weight)
    terms = [box_terms(part, factors, offset) for part in (boxes, others)]
    tiles = geometry_tiles(*terms, weight, bias, factors, columns)
    assert all(tile.shape[-1] <= columns for tile in tiles)
    np.testing.assert_allclose(torch.cat(tiles, -1), expected, rtol=1e-9, atol=1e-9)
    penalty = torch.tensor([0.0, -1e30, 0.0], dtype=torch.double).repeat(supports)[:supports]
    out = geometry_weights(*terms, weight, bias, sine_arguments(factors), penalty)
    np.testing.assert_allclose(out, expected.where(penalty == 0, torch.tensor(1e-37)), rtol=1e-9, atol=1e-9)
    assert (out > 0).all()


def test_terms_of_some_boxes():
    boxes = random_boxes(5, torch.Generator().manual_seed(0))
    for inds in (slice(1, 3), torch.tensor([4, 0])):
        terms, expected = box_terms(boxes, FACTORS).rows(inds), box_terms(boxes[inds], FACTORS)
        assert len(terms) == 2
        for name in ('center', 'size', 'waves'):
            assert torch.equal(getattr(terms, name), getattr(expected, name))


def test_geometry_in_fp32_is_as_exact_as_its_input():
    """Sizes do not lose digits to the large angles of each box alone: few where these are in fp32 too."""
    generator = torch.Generator().manual_seed(0)
    boxes = random_boxes(40, generator).round()
    weight = torch.randn(16, 64, generator=generator, dtype=torch.double)
    weight[:, :32] = 0  # positions: their angles are fp32 either way
    bias = torch.zeros(16, dtype=torch.double)
    encoding = pairwise_geometry_encoding(boxes, boxes)
    expected = (encoding @ weight.t()).permute(2, 0, 1).clamp(min=1e-6)
    for factors, error in ((FACTORS, 2e-5), (FACTORS.float(), 2e-4)):
        terms = box_terms(boxes.float(), factors)
        out = geometry_weights(
            terms, terms, weight.float(), bias.float(), sine_arguments(FACTORS.float()), torch.zeros(40)
        )
        np.testing.assert_allclose(out, expected, atol=error)


class TenBits(TorchDispatchMode):
    """Round what matrix products get to ten bits, as GPUs may."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.overloadpacket.__name__ in ('mm', 'addmm', 'bmm', 'baddbmm'):
            mantissas = [x.detach().numpy().view(np.int32) for x in args[-2:]]
            rounded = [torch.from_numpy(((bits + 0x1000) & ~0x1FFF).view(np.float32)) for bits in mantissas]
            args = (*args[:-2], *rounded)
        return func(*args, **(kwargs or {}))


def test_angles_do_not_pass_a_matrix_product():
    """They go up to 690; rounded to ten bits, nothing of their sines would be right."""
    generator = torch.Generator().manual_seed(0)
    boxes = random_boxes(40, generator)
    weight = torch.randn(16, 64, generator=generator, dtype=torch.double) / 8
    weight[:, 32:] = 0  # only positions
    bias = torch.zeros(16, dtype=torch.double)
    expected = (pairwise_geometry_encoding(boxes, boxes) @ weight.t()).permute(2, 0, 1).clamp(min=1e-6)
    terms = box_terms(boxes.float(), FACTORS)
    with TenBits():
        out = geometry_weights(
            terms, terms, weight.float(), bias.float(), sine_arguments(FACTORS.float()), torch.zeros(40)
        )
    assert 1e-6 < (out - expected).abs().mean() < 1e-3  # of weights of about 0.3


def random_relation(spread, generator, supports=11):
    query = torch.randn(2, 3, 4, generator=generator, dtype=torch.double)
    key = torch.randn(2, supports, 4, generator=generator, dtype=torch.double)
    value = torch.randn(2, supports, 4, generator=generator, dtype=torch.double)
    geometry = torch.rand(2, 3, supports, generator=generator, dtype=torch.double) + 1e-6
    return query * spread, key, value, geometry


@pytest.mark.parametrize('spread', [1.0, 30.0, 1000.0])
@pytest.mark.parametrize('widths', [[11], [4, 7], [1, 1, 9]])
def test_sums_over_parts_equal_the_softmax(spread, widths):
    """Also where the exponentials of whole parts vanish."""
    query, key, value, geometry = random_relation(spread, torch.Generator().manual_seed(0))
    omega = (geometry.log() + query @ key.transpose(1, 2)).softmax(-1)
    values, log_denominators, weights = attend_parts(query, key, value, geometry.split(widths, -1), True)
    values, shares = merge_parts(values, log_denominators)
    for whole, right in zip(attend(query, key, value, geometry), (omega @ value, omega)):
        np.testing.assert_allclose(whole, right, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(values, omega @ value, rtol=1e-9, atol=1e-12)
    weights = [part * share for part, share in zip(weights, shares.split(1, -1))]
    np.testing.assert_allclose(torch.cat(weights, -1), omega, rtol=1e-9, atol=1e-12)


def test_parts_can_leave_again_whatever_their_size():
    """A part that dominated takes nothing of the others with it."""
    query, key, value, geometry = random_relation(1.0, torch.Generator().manual_seed(1))
    key[:, :2] = query.mean(1, keepdim=True) * 1e4
    values, log_denominators, _ = attend_parts(query, key, value, geometry.split([2, 9], -1))
    assert (log_denominators.logsumexp(-1) > 500).any()
    log_denominators[..., 0] = -torch.inf
    rest, shares = merge_parts(values, log_denominators)
    assert torch.equal(shares[..., 1], torch.ones(2, 3, dtype=torch.double))
    omega = (geometry[..., 2:].log() + query @ key[:, 2:].transpose(1, 2)).softmax(-1)
    np.testing.assert_allclose(rest, omega @ value[:, 2:], rtol=1e-9, atol=1e-12)


def test_fp32_with_a_wide_range_of_geometry():
    """1e-6 for the support that appearance favours, 60 for the others."""
    query = torch.tensor([[[8.0]]])
    key = torch.tensor([[[1.0], [0.0], [-9.0]]])
    value = torch.tensor([[[1.0], [2.0], [4.0]]])
    geometry = torch.tensor([[[1e-6, 60.0, 60.0]]])
    logits = np.log([1e-6, 60.0, 60.0]) + np.array([8.0, 0.0, -72.0])
    omega = np.exp(logits - logits.max())
    expected = (omega * [1, 2, 4]).sum() / omega.sum()
    assert attend(query, key, value, geometry)[0].item() == pytest.approx(expected, rel=1e-6)
    values, _, _ = attend_parts(query, key, value, [geometry])
    assert values.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize('num', [0, 1, 75, 479, 480, 481, 100000])
def test_tiles_cover_all_and_stay_small(num):
    rows, columns = tile_shape(num, torch.device('cpu'))
    assert rows >= 1 and columns >= 1 and rows * columns <= 30000
    assert columns == max(1, min(num, 480))
