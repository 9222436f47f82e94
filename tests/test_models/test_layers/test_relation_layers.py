# Copyright (c) mmrdn contributors. All rights reserved.
import numpy as np
import pytest
import torch

from mmrdn.models.layers import (
    add_sums,
    box_terms,
    geometry_weights,
    pairwise_geometry_encoding,
    relation_sum,
    size_queries,
    tiled_relation,
)
from mmrdn.models.necks.relation_chain import tile_shape


def random_boxes(n, generator, dtype=torch.double):
    corner = torch.rand(n, 2, generator=generator, dtype=dtype) * 1000
    size = torch.rand(n, 2, generator=generator, dtype=dtype) * 400
    return torch.cat([corner, corner + size], 1)


@pytest.mark.parametrize('offset', [0.0, 1.0])
@pytest.mark.parametrize('dims, wave_length', [(8, 10.0), (64, 1000.0)])
@pytest.mark.parametrize('num, supports', [(1, 1), (5, 9), (0, 3)])
def test_geometry_equals_the_encoding_of_each_pair(num, supports, dims, wave_length, offset):
    generator = torch.Generator().manual_seed(num)
    boxes = random_boxes(num, generator)
    others = random_boxes(supports, generator)
    if num:  # a box with itself, and one without an extent
        others[0] = boxes[0]
        boxes[-1, 2:] = boxes[-1, :2]
    weight = torch.randn(6, dims, generator=generator, dtype=torch.double)
    bias = torch.randn(6, generator=generator, dtype=torch.double)
    settings = (dims, wave_length, offset)
    encoding = pairwise_geometry_encoding(boxes, others, *settings)
    expected = (encoding @ weight.t() + bias).permute(2, 0, 1).clamp(min=1e-6)
    queries = box_terms(boxes, *settings)
    out = geometry_weights(
        queries, box_terms(others, *settings), weight, size_queries(queries, weight, bias), wave_length
    )
    np.testing.assert_allclose(out, expected, rtol=1e-9, atol=1e-9)


def test_geometry_in_fp32_is_as_exact_as_its_input():
    """Sizes do not lose digits to the large angles of each box alone."""
    generator = torch.Generator().manual_seed(0)
    boxes = random_boxes(40, generator).round()
    weight = torch.randn(16, 64, generator=generator, dtype=torch.double)
    weight[:, :32] = 0  # positions: their angles are fp32 either way
    bias = torch.zeros(16, dtype=torch.double)
    encoding = pairwise_geometry_encoding(boxes, boxes)
    expected = (encoding @ weight.t()).permute(2, 0, 1).clamp(min=1e-6)
    terms = box_terms(boxes.float())
    out = geometry_weights(terms, terms, weight.float(), size_queries(terms, weight.float(), bias.float()))
    np.testing.assert_allclose(out, expected, atol=2e-5)


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
    sums, weights = tiled_relation(query, key, value, geometry.split(widths, -1), True)
    np.testing.assert_allclose(sums.values / sums.total, omega @ value, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(weights, omega.mean(0), rtol=1e-9, atol=1e-12)


def test_parts_can_leave_again_whatever_their_size():
    """A part that dominated takes nothing of the others with it."""
    query, key, value, geometry = random_relation(1.0, torch.Generator().manual_seed(1))
    key[:, :2] = query.mean(1, keepdim=True) * 1e4
    parts = [
        relation_sum(query, k, v, g)[0]
        for k, v, g in zip(key.split([2, 9], 1), value.split([2, 9], 1), geometry.split([2, 9], -1))
    ]
    assert (add_sums(*parts).top > 500).any()
    rest = parts[1]
    omega = (geometry[..., 2:].log() + query @ key[:, 2:].transpose(1, 2)).softmax(-1)
    np.testing.assert_allclose(rest.values / rest.total, omega @ value[:, 2:], rtol=1e-9, atol=1e-12)


def test_fp32_with_a_wide_range_of_geometry():
    """1e-6 for the support that appearance favours, 60 for the others."""
    query = torch.tensor([[[8.0]]])
    key = torch.tensor([[[1.0], [0.0], [-9.0]]])
    value = torch.tensor([[[1.0], [2.0], [4.0]]])
    geometry = torch.tensor([[[1e-6, 60.0, 60.0]]])
    logits = np.log([1e-6, 60.0, 60.0]) + np.array([8.0, 0.0, -72.0])
    omega = np.exp(logits - logits.max())
    expected = (omega * [1, 2, 4]).sum() / omega.sum()
    sums, _ = relation_sum(query, key, value, geometry)
    assert (sums.values / sums.total).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize('num', [0, 1, 75, 479, 480, 481, 100000])
def test_tiles_cover_all_and_stay_small(num):
    rows, columns = tile_shape(num, torch.device('cpu'))
    assert rows >= 1 and columns >= 1 and rows * columns <= 30000
    assert columns == max(1, min(num, 480))
