# Copyright (c) mmrdn contributors. All rights reserved.
"""The stand-in for mmcv's compiled operators, called as mmcv calls them."""

import math
import sys

import mmcv.ops
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from helpers import naive_ops
from mmrdn.ops import mmcv_ext
from mmrdn.ops.deformable import deform_conv

pytestmark = pytest.mark.usefixtures('stand_in')


def maps_and_rois(dtype=torch.float32):
    rng = torch.Generator().manual_seed(0)
    feats = torch.randn(2, 3, 9, 11, generator=rng, dtype=dtype)
    rois = torch.tensor(
        [[0, 3, 5, 40, 60], [1, -20, -8, 30, 20], [1, 60, 50, 200, 120], [0, 8, 8, 16, 16]], dtype=dtype
    )
    return feats, rois


@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('ratio', [0, 2])
@pytest.mark.parametrize('mode', ['avg', 'max'])
def test_roi_align(aligned, ratio, mode):
    feats, rois = maps_and_rois()
    found = mmcv.ops.roi_align(feats, rois, (3, 4), 1 / 8, ratio, mode, aligned)
    expected = naive_ops.roi_align(feats, rois, (3, 4), 1 / 8, ratio, aligned, mode)
    np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize('mode', ['avg', 'max'])
def test_gradients_of_roi_align(mode):
    feats, rois = maps_and_rois(torch.float64)
    assert torch.autograd.gradcheck(
        lambda maps: mmcv.ops.roi_align(maps, rois, (2, 2), 1 / 8, 2, mode, True), feats.requires_grad_()
    )


@pytest.mark.slow
def test_roi_pool():
    feats, rois = maps_and_rois()
    found = mmcv.ops.roi_pool(feats, rois, (3, 4), 1 / 8)
    np.testing.assert_allclose(found, naive_ops.roi_pool(feats, rois, (3, 4), 1 / 8), atol=1e-6)
    feats = feats.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda maps: mmcv.ops.roi_pool(maps, rois.double(), (2, 2), 1 / 8), feats)


def boxes_and_scores(seed, lowest):
    """12 boxes, many of which overlap, with scores from the lowest on."""
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 30, (12, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(5, 30, (12, 2))], 1)
    return boxes.astype(np.float32), rng.uniform(lowest, 1, 12).astype(np.float32)


def naive_soft_nms(boxes, scores, method, threshold=0.3, sigma=0.5, min_score=1e-3):
    left, taken = {i: float(s) for i, s in enumerate(scores)}, []
    while left:
        best = max(left, key=left.get)
        taken.append((best, left.pop(best)))
        for i in list(left):
            iou = float(naive_ops.iou(boxes[best], boxes[i]))
            if method == 'gaussian':
                left[i] *= math.exp(-(iou**2) / sigma)
            elif iou >= threshold:
                left[i] *= 1 - iou if method == 'linear' else 0
            if left[i] < min_score:
                del left[i]
    return taken


@pytest.mark.parametrize('method', ['naive', 'linear', 'gaussian'])
def test_soft_nms(method):
    for seed in range(30):
        boxes, scores = boxes_and_scores(seed, 0.1)
        expected = naive_soft_nms(boxes, scores, method)
        dets, inds = mmcv.ops.soft_nms(
            torch.from_numpy(boxes),
            torch.from_numpy(scores),
            iou_threshold=0.3,
            sigma=0.5,
            min_score=1e-3,
            method=method,
        )
        assert inds.tolist() == [i for i, _ in expected]
        np.testing.assert_allclose(dets[:, 4], [score for _, score in expected], rtol=1e-5)
        np.testing.assert_array_equal(dets[:, :4], boxes[inds])


def test_nms_match():
    for seed in range(30):
        boxes, scores = boxes_and_scores(seed, 0)
        order, expected = np.argsort(-scores).tolist(), []
        while order:
            best = order.pop(0)
            group = [i for i in order if naive_ops.iou(boxes[best], boxes[i]) >= 0.4]
            order = [i for i in order if i not in group]
            expected.append([best, *group])
        dets = torch.from_numpy(np.concatenate([boxes, scores[:, None]], 1))
        assert [group.tolist() for group in mmcv.ops.nms_match(dets, 0.4)] == expected


@pytest.mark.parametrize('weighted', [False, True])
def test_sigmoid_focal_loss(weighted):
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    target, weight = torch.tensor([0, 1, 2, 2, 1, 0]), torch.tensor([0.5, 2.0, 1.0], dtype=torch.float64)
    given = weight if weighted else None
    found = mmcv.ops.sigmoid_focal_loss(logits, target, 2.0, 0.25, given, 'none')
    for i in range(6):
        for c in range(3):
            p = 1 / (1 + math.exp(-logits[i, c].item()))
            loss = -0.25 * (1 - p) ** 2 * math.log(p) if target[i] == c else -0.75 * p**2 * math.log(1 - p)
            assert found[i, c].item() == pytest.approx(loss * (weight[target[i]].item() if weighted else 1))
    assert torch.autograd.gradcheck(lambda x: mmcv.ops.sigmoid_focal_loss(x, target, 2.0, 0.25, given, 'sum'), logits)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16])
def test_confident_mistakes_have_gradients(dtype):
    logits = torch.tensor([[20.0, -100.0], [-100.0, 20.0]], dtype=dtype).requires_grad_()
    target = torch.tensor([1, 2])  # the second is background
    mmcv.ops.sigmoid_focal_loss(logits, target, 2.0, 0.25, None, 'sum').backward()
    torch.testing.assert_close(logits.grad, torch.tensor([[0.75, -0.25], [0, 0.75]], dtype=dtype), rtol=1e-3, atol=1e-3)
    logits = torch.tensor([[200.0, 0.0]]).requires_grad_()
    mmcv.ops.softmax_focal_loss(logits, torch.tensor([1]), 2.0, 0.25, None, 'sum').backward()
    torch.testing.assert_close(logits.grad, torch.tensor([[0.25, -0.25]]))


def test_softmax_focal_loss():
    logits = torch.randn(5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    target = torch.tensor([0, 3, 1, 2, 2])
    found = mmcv.ops.softmax_focal_loss(logits, target, 2.0, 0.25, None, 'none')
    for i in range(5):
        p = logits[i].detach().exp()[target[i]].item() / sum(math.exp(x) for x in logits[i].tolist())
        assert found[i].item() == pytest.approx(-0.25 * (1 - p) ** 2 * math.log(p))
    assert torch.autograd.gradcheck(lambda x: mmcv.ops.softmax_focal_loss(x, target, 2.0, 0.25, None, 'sum'), logits)


def test_deform_conv_without_offsets_is_a_convolution():
    rng = torch.Generator().manual_seed(0)
    maps, weight = torch.randn(2, 4, 7, 6, generator=rng), torch.randn(6, 2, 3, 3, generator=rng)
    for stride, padding, dilation in ((1, 1, 1), (2, 0, 1), (1, 2, 2)):
        expected = F.conv2d(maps, weight, None, stride, padding, dilation, groups=2)
        offset = torch.zeros(2, 2 * 18, *expected.shape[2:])
        found = mmcv.ops.deform_conv2d(maps, offset, weight, stride, padding, dilation, 2, 2)
        with torch.autocast('cpu', dtype=torch.bfloat16):
            same = deform_conv(maps, weight, offset, None, *[(x, x) for x in (stride, padding, dilation)], 2, 2)
        assert torch.equal(same, found)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_modulated_deform_conv_equals_a_loop():
    rng = torch.Generator().manual_seed(0)
    maps = torch.randn(1, 2, 5, 6, generator=rng, dtype=torch.float64)
    weight = torch.randn(3, 2, 3, 3, generator=rng, dtype=torch.float64)
    offset = torch.randn(1, 18, 5, 6, generator=rng, dtype=torch.float64) * 2
    mask = torch.rand(1, 9, 5, 6, generator=rng, dtype=torch.float64)
    bias = torch.randn(3, generator=rng, dtype=torch.float64)
    found = mmcv.ops.modulated_deform_conv2d(maps, offset, mask, weight, bias, 1, 1, 1, 1, 1)
    padded = np.pad(maps[0].numpy(), ((0, 0), (1, 1), (1, 1)))  # zeros outside, blended over a pixel
    for row in range(5):
        for column in range(6):
            total = bias.numpy().copy()
            for k in range(9):
                y = row - 1 + k // 3 + offset[0, 2 * k, row, column].item()
                x = column - 1 + k % 3 + offset[0, 2 * k + 1, row, column].item()
                if -1 < y < 5 and -1 < x < 6:
                    value = naive_ops.bilinear(padded, y + 1, x + 1) * mask[0, k, row, column].item()
                    total += weight[:, :, k // 3, k % 3].numpy() @ value
            np.testing.assert_allclose(found[0, :, row, column], total, atol=1e-9)


@pytest.mark.slow
def test_gradients_of_deform_conv():
    rng = torch.Generator().manual_seed(0)
    shapes = (1, 2, 4, 3), (1, 18, 4, 3), (1, 9, 4, 3), (2, 2, 3, 3), (2,)
    tensors = [torch.randn(*shape, generator=rng, dtype=torch.float64).requires_grad_() for shape in shapes]
    assert torch.autograd.gradcheck(
        lambda *args: mmcv.ops.modulated_deform_conv2d(*args, 1, 1, 1, 1, 1), tensors, atol=1e-4
    )
    maps, offset, _, weight, _ = tensors
    assert torch.autograd.gradcheck(
        lambda *args: mmcv.ops.deform_conv2d(*args, 1, 1, 1, 1, 1), (maps, offset, weight), atol=1e-4
    )
    one = [torch.ones(1, 1, 1, 1), torch.ones(1, 1, 1, 1), torch.zeros(1, 2, 1, 1), None]
    assert deform_conv(*one, (1, 1), (0, 0), (1, 1), 1, 1).item() == 1  # a map of one pixel


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_halves_are_sampled_in_fp32(dtype):
    """Without offsets, a kernel of one pixel is the identity, however wide the map."""
    maps = torch.randn(1, 1, 3, 150, generator=torch.Generator().manual_seed(0)).to(dtype)
    one = torch.ones(1, 1, 1, 1, dtype=dtype), torch.zeros(1, 2, 3, 150, dtype=dtype)
    assert torch.allclose(deform_conv(maps, *one, None, (1, 1), (0, 0), (1, 1), 1, 1), maps, atol=1e-2)
    none = deform_conv(maps[:0], one[0], one[1][:0], None, (1, 1), (0, 0), (1, 1), 1, 1)
    assert none.shape == (0, 1, 3, 150)


def test_multi_scale_deformable_attention():
    """Samples at the centers of pixels are these pixels."""
    function = sys.modules['mmcv.ops.multi_scale_deform_attn'].MultiScaleDeformableAttnFunction
    value = torch.arange(12.0, dtype=torch.float64).view(1, 12, 1, 1).requires_grad_()
    shapes, starts = torch.tensor([[2, 3], [3, 2]]), torch.tensor([0, 6])
    places = torch.tensor([[[0.5, 0.75]], [[0.25, 0.5]]], dtype=torch.float64).view(
        1, 1, 1, 2, 1, 2
    )  # pixels 4 and 2 + 6
    weights = torch.tensor([0.25, 0.75], dtype=torch.float64).view(1, 1, 1, 2, 1)
    out = function.apply(value, shapes, starts, places, weights, 64)
    assert out.item() == pytest.approx(0.25 * 4 + 0.75 * 8)
    out.backward()
    assert value.grad.flatten().tolist() == pytest.approx([0, 0, 0, 0, 0.25, 0, 0, 0, 0.75, 0, 0, 0])


def test_what_is_missing_names_itself():
    with pytest.raises(NotImplementedError) as error:
        mmcv.ops.box_iou_rotated(torch.zeros(1, 5), torch.zeros(1, 5))
    assert str(error.value) == 'mmcv.ops: box_iou_rotated needs the compiled mmcv: run `make setup OPS=compiled`'
    assert not hasattr(mmcv_ext, '__path__')
