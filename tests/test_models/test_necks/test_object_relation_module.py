# Copyright (c) mmrdn contributors. All rights reserved.
import numpy as np
import pytest
import torch

from helpers import naive_relation
from mmrdn.models import ObjectRelationModule
from mmrdn.models.layers import angle_factors, encode_angles, geometric_features, merge_heads, split_heads
from mmrdn.models.necks.projected_supports import ProjectedSupports


def random_boxes(n, generator, size=200.0):
    corner = torch.rand(n, 2, generator=generator, dtype=torch.double) * size
    wh = torch.rand(n, 2, generator=generator, dtype=torch.double) * size / 2
    return torch.cat([corner, corner + wh], 1)


def make(n=3, m=5, seed=0, **kwargs):
    """A module in float64 with parameters large enough to matter."""
    generator = torch.Generator().manual_seed(seed)
    module = ObjectRelationModule(embed_dims=8, num_heads=2, geometry_dims=16, **kwargs).double()
    for parameter in module.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.double) * 0.5
    feats = torch.randn(n, 8, generator=generator, dtype=torch.double)
    support = torch.randn(m, 8, generator=generator, dtype=torch.double)
    return module, feats, random_boxes(n, generator), support, random_boxes(m, generator)


def test_geometric_features_by_hand():
    # Widths 10 and 20, heights 20 and 10, centres (5, 10) and (15, 10).
    boxes = torch.tensor([[0.0, 0.0, 10.0, 20.0]], dtype=torch.double)
    support = torch.tensor([[5.0, 5.0, 25.0, 15.0]], dtype=torch.double)
    g = geometric_features(boxes, support)[0, 0]
    expected = [np.log(1.0 + 1e-3), np.log(0.0 + 1e-3), np.log(0.5), np.log(2.0)]
    np.testing.assert_allclose(g, expected, rtol=1e-9)
    g = geometric_features(boxes, support, pixel_offset=1.0)[0, 0]
    np.testing.assert_allclose(g[2:], np.log([11 / 21, 21 / 11]), rtol=1e-9)


def test_degenerate_box_is_one_pixel_wide():
    boxes = torch.tensor([[3.0, 3.0, 3.0, 3.0], [3.0, 3.0, 2.0, 1.0]])
    g = geometric_features(boxes, torch.tensor([[0.0, 0.0, 4.0, 2.0]]))
    np.testing.assert_allclose(g[0, 0, 2:], np.log([1 / 4, 1 / 2]), rtol=1e-5)
    assert torch.isfinite(g).all()


def test_encoding_order_and_waves_by_hand():
    g = torch.tensor([[[0.3, -0.2, 0.1, 0.7]]], dtype=torch.double)
    encoding = encode_angles(g, angle_factors(64, 1000.0, g))[0, 0].numpy()
    assert encoding.shape == (64,)
    for c, value in enumerate([0.3, -0.2, 0.1, 0.7]):
        for k in range(8):
            angle = 100 * value / 1000 ** (k / 8)
            assert encoding[16 * c + k] == pytest.approx(np.sin(angle))
            assert encoding[16 * c + 8 + k] == pytest.approx(np.cos(angle))


@pytest.mark.parametrize('seed', range(4))
@pytest.mark.parametrize('offset', [0.0, 1.0])
def test_equals_naive_loops(seed, offset):
    module, *tensors = make(n=3 + seed, m=5, seed=seed, pixel_offset=offset)
    out, weights = module(*tensors, return_weights=True)
    expected, expected_weights = naive_relation.relation(module, *tensors)
    np.testing.assert_allclose(out.detach(), expected, rtol=1e-9)
    np.testing.assert_allclose(weights.detach(), expected_weights, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(weights.detach().sum(1), 1, rtol=1e-12)
    torch.testing.assert_close(module(*tensors), out)


@pytest.mark.slow
def test_default_sizes_equal_naive_loops():
    torch.manual_seed(0)
    module = ObjectRelationModule()
    assert module.geometry_proj.weight.shape == (16, 64)
    generator = torch.Generator().manual_seed(0)
    feats, support = torch.randn(2, 1024), torch.randn(2, 1024)
    boxes = random_boxes(2, generator).float()
    support_boxes = random_boxes(2, generator).float()
    expected, _ = naive_relation.relation(
        module, feats.double(), boxes.double(), support.double(), support_boxes.double()
    )
    out = module(feats, boxes, support, support_boxes)
    np.testing.assert_allclose(out.detach(), expected, rtol=2e-3, atol=2e-3)


def test_value_rows_are_grouped_by_head():
    """Head m changes channels m*d .. (m+1)*d - 1 only."""
    module, *tensors = make()
    before = module(*tensors)
    module.geometry_proj.bias.data[1] += 3.0
    changed = (module(*tensors) - before).abs().sum(0) > 0
    assert changed.tolist() == [False] * 4 + [True] * 4


def test_split_and_merge_heads_are_inverse():
    feats = torch.arange(24.0).view(3, 8)
    heads = split_heads(feats, 2)
    assert heads.shape == (2, 3, 4)
    assert heads[1, 2].tolist() == [20.0, 21.0, 22.0, 23.0]
    assert torch.equal(merge_heads(heads), feats)


def test_gradients():
    module, feats, boxes, support, support_boxes = make(n=2, m=3)
    assert torch.autograd.gradcheck(
        lambda a, b: module(a, boxes, b, support_boxes), (feats.requires_grad_(), support.requires_grad_())
    )


@pytest.mark.slow
def test_gradients_of_parameters():
    module, *tensors = make(n=2, m=3)
    names = [name for name, _ in module.named_parameters()]

    def run(*values):
        return torch.func.functional_call(module, dict(zip(names, values)), tuple(tensors))

    assert torch.autograd.gradcheck(run, tuple(p.detach().requires_grad_() for p in module.parameters()))


def test_order_of_supports_does_not_matter():
    module, feats, boxes, support, support_boxes = make()
    order = torch.tensor([4, 2, 0, 1, 3])
    torch.testing.assert_close(
        module(feats, boxes, support[order], support_boxes[order]), module(feats, boxes, support, support_boxes)
    )


def test_no_supports_and_no_queries():
    module, feats, boxes, support, support_boxes = make()
    out, weights = module(feats, boxes, support[:0], support_boxes[:0], return_weights=True)
    assert torch.equal(out, feats) and weights.shape == (3, 0)
    out, weights = module(feats[:0], boxes[:0], support, support_boxes, return_weights=True)
    assert out.shape == (0, 8) and weights.shape == (0, 5)


def test_geometry_and_softmax_stay_in_fp32_under_autocast():
    torch.manual_seed(0)
    module = ObjectRelationModule(64, 4)
    generator = torch.Generator().manual_seed(0)
    boxes = random_boxes(6, generator, 1000.0).float()
    feats = torch.randn(6, 64)
    terms = module.box_terms(boxes)
    supports = ProjectedSupports({module: module.project(feats)}, terms)
    (plain,) = supports.geometry([module], terms)
    assert plain.shape == (1, 4, 6, 6)
    expected, omega = module(feats, boxes, feats, boxes, return_weights=True)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        torch.testing.assert_close(supports.geometry([module], terms)[0], plain, rtol=0, atol=0)
        out, amp_omega = module(feats, boxes, feats, boxes, True)
    assert amp_omega.dtype == torch.float32
    torch.testing.assert_close(amp_omega, omega, rtol=0.05, atol=5e-3)
    torch.testing.assert_close(out.float(), expected, rtol=0.05, atol=0.05)


@pytest.mark.parametrize(
    'index, shape, match',
    [
        (0, (3, 7), r'feats must be \(n, 8\), got \(3, 7\)'),
        (1, (2, 4), r'boxes must be \(3, 4\), got \(2, 4\)'),
        (2, (5, 9), 'support_feats'),
        (3, (5, 5), r'support_boxes must be \(5, 4\), got \(5, 5\)'),
    ],
)
def test_wrong_shapes_are_named(index, shape, match):
    module, *tensors = make()
    tensors[index] = torch.zeros(shape, dtype=torch.double)
    with pytest.raises(ValueError, match=match):
        module(*tensors)


@pytest.mark.parametrize(
    'kwargs, match',
    [(dict(embed_dims=10, num_heads=3), 'embed_dims .* 10 and 3'), (dict(geometry_dims=12), 'geometry_dims .* 12')],
)
def test_wrong_settings_are_named(kwargs, match):
    with pytest.raises(ValueError, match=match):
        ObjectRelationModule(**kwargs)
