# Copyright (c) mmrdn contributors. All rights reserved.
import sys

import numpy as np
import pytest
import torch

from helpers import naive_ops
from mmrdn.ops import roi_align, roi_align_cpu, roi_align_torch

EDGES = [
    [0, -30, -20, 40, 30],  # over the upper left corner
    [1, 200, 150, 400, 300],  # over the lower right corner
    [0, -90, -90, -40, -50],  # outside
    [1, 300, 300, 380, 390],  # outside
    [0, 50, 60, 50, 60],  # a point
    [1, 50, 60, 90, 60],  # a line
    [0, 90, 80, 60, 50],  # corners swapped
    [0, 0, 0, 271, 207],  # everything
    [1, 16, 16, 32, 32],  # one pixel of the map
    [1, -16, 20, 272, 21],  # wide and flat
]


def case(num=30, channels=5, seed=0, dtype=torch.float32):
    """Feature maps (2, C, 13, 17) of stride 16, RoIs over every edge among them."""
    rng = torch.Generator().manual_seed(seed)
    feats = torch.randn(2, channels, 13, 17, generator=rng, dtype=dtype)
    corner = torch.rand(num, 2, generator=rng) * 300 - 40
    size = torch.rand(num, 2, generator=rng) ** 2 * 260
    image = torch.randint(0, 2, (num, 1), generator=rng).float()
    rois = torch.cat([torch.cat([image, corner, corner + size], 1), torch.tensor(EDGES).float()])
    return feats, rois.to(dtype)


@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('ratio', [0, 2])
@pytest.mark.parametrize('size', [(7, 7), (3, 5), (1, 1)])
def test_equals_a_loop_over_samples(aligned, ratio, size):
    feats, rois = case()
    expected = naive_ops.roi_align(feats, rois, size, 1 / 16, ratio, aligned)
    for found in (
        roi_align(feats, rois, size, 1 / 16, ratio, aligned),
        roi_align_torch.forward(feats, rois, size, 1 / 16, ratio, aligned),
    ):
        np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.mark.parametrize('scale', [1 / 16, 0.1, 1 / 3])
def test_float64_equals_the_loop_to_its_digits(scale):
    feats, rois = case(dtype=torch.float64)
    expected = naive_ops.roi_align(feats, rois, (7, 7), scale, 2, True)
    np.testing.assert_allclose(roi_align(feats, rois, 7, scale, 2), expected, atol=1e-12)


@pytest.mark.parametrize('function', [roi_align, roi_align_torch.max_forward])
def test_no_rois_and_no_channels(function):
    feats, rois = case()
    for maps, boxes, shape in ((feats, rois[:0], (0, 5, 2, 3)), (feats[:, :0], rois[:4], (4, 0, 2, 3))):
        found = function(maps, boxes, (2, 3), 1 / 16, 0, True)
        assert (found if isinstance(found, torch.Tensor) else found[0]).shape == shape


def test_memory_formats_and_threads_change_nothing():
    feats, rois = case(channels=300)
    grad = torch.randn(len(rois), 300, 4, 4, generator=torch.Generator().manual_seed(1))
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            for maps in (
                feats,
                feats.to(memory_format=torch.channels_last),
                feats.transpose(2, 3).clone().transpose(2, 3),
            ):
                maps = maps.clone(memory_format=torch.preserve_format).requires_grad_()
                out = roi_align(maps, rois, 4, 1 / 16)
                out.backward(grad)
                results.append((out.detach(), maps.grad))
    finally:
        torch.set_num_threads(before)
    for out, grads in results[1:]:
        assert torch.equal(out, results[0][0]) and torch.equal(grads, results[0][1])


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_summed_in_fp32(dtype):
    feats, rois = case()
    feats = feats.to(dtype)
    found = roi_align(feats, rois.to(dtype), 7, 1 / 16)
    expected = roi_align(feats.float(), rois.to(dtype).float(), 7, 1 / 16)
    assert found.dtype == dtype
    assert torch.equal(found, expected.to(dtype))


@pytest.mark.slow
@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('ratio', [0, 2])
def test_gradients(aligned, ratio):
    """On maps of a third of the size, which differences of all their values are taken of."""
    feats, rois = case(num=4, channels=2, dtype=torch.float64)
    feats, scale = feats[..., :5, :6].clone().requires_grad_(), 1 / 48
    for check in (torch.autograd.gradcheck, torch.autograd.gradgradcheck):
        assert check(lambda maps: roi_align(maps, rois, (2, 3), scale, ratio, aligned), feats)
    grad = torch.randn(len(rois), 2, 2, 3, dtype=torch.float64)
    (expected,) = torch.autograd.grad(roi_align(feats, rois, (2, 3), scale, ratio, aligned), feats, grad)
    found = roi_align_torch.backward(grad, rois, feats.shape, scale, ratio, aligned)
    torch.testing.assert_close(found, expected)


@pytest.mark.slow
def test_is_an_operator_of_torch():
    feats, rois = case()
    args = feats.requires_grad_(), rois, [2, 3], 1 / 16, 0, True
    torch.library.opcheck(torch.ops.mmrdn.roi_align, args)

    class Pool(torch.nn.Module):
        def forward(self, maps, boxes):
            return roi_align(maps, boxes, 7, 1 / 16)

    num = torch.export.Dim('num', min=2)
    program = torch.export.export(Pool(), (feats.detach(), rois), dynamic_shapes=(None, {0: num}))
    assert torch.equal(program.module()(feats.detach(), rois[:7]), roi_align(feats, rois[:7], 7, 1 / 16))


def test_wide_and_flat_boxes():
    """The samples of one axis are many, those of the other none."""
    feats, _ = case()
    rois = torch.tensor([[0, -1e5, 40, 1e5, 40], [1, 40, -3e4, 40, 3e4], [0, 0, 0, 1e6, 16.0]])
    np.testing.assert_allclose(roi_align(feats, rois[:2], 2, 1 / 16), np.zeros((2, 5, 2, 2)))
    expected = naive_ops.roi_align(feats, rois[2:], (1, 1), 1 / 16, 3, True)
    np.testing.assert_allclose(roi_align(feats, rois[2:], 1, 1 / 16, 3), expected, atol=2e-5)


def test_samples_outside_of_the_map_take_no_time():
    """Samples lie at 0, 1, 2, ...: six columns and five rows of them in a map of 4 x 5, of 1e24."""
    maps = torch.ones(1, 1, 4, 5, dtype=torch.float64)
    for size in (1e6, 1e12, 1e300):
        found = roi_align(maps, torch.tensor([[0, 0, 0, size, size]], dtype=torch.float64), 1)
        assert found.item() == pytest.approx(30 / min(size, 2**30) ** 2 if size < 1e9 else 0, abs=1e-17)


@pytest.mark.parametrize('ratio', [0, 2])
@pytest.mark.parametrize('value', [float('nan'), float('inf'), -float('inf')])
def test_boxes_that_are_not_finite(value, ratio):
    """They touch no memory but their own output, which is NaN."""
    feats, rois = case()
    wild = rois.clone()
    for i in range(4):
        wild[i, 1 + i] = value
    maps = feats.clone().requires_grad_()
    for function in (roi_align, roi_align_torch.forward):
        found = function(maps, wild, (7, 7), 1 / 16, ratio, True)
        assert found[:4].isnan().all()
        torch.testing.assert_close(found[4:], function(feats, rois[4:], (7, 7), 1 / 16, ratio, True))
    grad = torch.randn(found.shape, generator=torch.Generator().manual_seed(1))
    expected = torch.ops.mmrdn.roi_align_backward(grad[4:], rois[4:], feats.shape, 1 / 16, ratio, True)
    found = torch.ops.mmrdn.roi_align_backward(grad, wild, feats.shape, 1 / 16, ratio, True)
    torch.testing.assert_close(found, expected)
    around = np.zeros((3, 5, 20))  # weights of an axis, and what lies beside them
    low, high = np.zeros(5, int), np.zeros(5, int)
    for start, step in ((value, 1.0), (1.0, value), (value, value)):
        roi_align_cpu._axis_weights(start, step, 2, np.zeros(1), around[1], low, high)
    assert not around.any() and (high <= low).all()


@pytest.mark.parametrize('image', [-1, 2, 100000])
def test_images_that_are_not_there(image):
    feats, rois = case()
    rois[3, 0] = image
    with pytest.raises(ValueError, match=f'rois must name images 0 to 1 of maps with pixels, got images .*{image}'):
        roi_align(feats, rois, 7, 1 / 16)
    with pytest.raises(ValueError, match='rois must name images'):
        torch.ops.mmrdn.roi_align_backward(torch.zeros(len(rois), 5, 7, 7), rois, feats.shape, 1 / 16, 0, True)
    with pytest.raises(ValueError, match='of maps with pixels, got images 0 to 0'):
        roi_align(feats[:, :, :0], torch.zeros(1, 5), 7)


def test_autocast_changes_nothing():
    feats, rois = case()
    settings = (3, 3), 1 / 16, 2, True
    with torch.autocast('cpu', dtype=torch.bfloat16):
        found = roi_align_torch.forward(feats, rois, *settings), roi_align_torch.max_forward(feats, rois, *settings)[0]
    assert torch.equal(found[0], roi_align_torch.forward(feats, rois, *settings))
    assert torch.equal(found[1], roi_align_torch.max_forward(feats, rois, *settings)[0])


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(input=torch.zeros(3, 4, 5)), r'input must be \(B, C, H, W\) of floating point, got \(3, 4, 5\)'),
        (dict(input=torch.zeros(1, 1, 4, 5, dtype=torch.int)), r'got \(1, 1, 4, 5\) of torch.int32'),
        (dict(output_size=7.0), r'output_size must be one or two positive integers, got 7.0'),
        (dict(rois=torch.zeros(3, 4)), r'rois must be \(n, 5\), got \(3, 4\)'),
        (dict(output_size=(7, 0)), r'output_size must be one or two positive integers, got \(7, 0\)'),
    ],
)
def test_wrong_shapes(change, message):
    args = dict(input=torch.zeros(1, 1, 4, 4), rois=torch.zeros(1, 5), output_size=7) | change
    with pytest.raises(ValueError, match=message):
        roi_align(**args)


@pytest.mark.skipif(
    getattr(sys.modules['mmcv._ext'], 'is_stand_in', False), reason='mmcv is not compiled (make setup OPS=compiled)'
)
@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('ratio', [0, 2])
def test_equals_the_compiled_operator(aligned, ratio):
    from mmcv.ops import roi_align as compiled

    feats, rois = case(num=100, channels=40)
    rois = rois[(rois[:, 3] >= rois[:, 1]) & (rois[:, 4] >= rois[:, 2])]  # what mmcv takes
    for size in ((7, 7), (3, 5)):
        maps = [feats.clone().requires_grad_() for _ in range(2)]
        ours = roi_align(maps[0], rois, size, 1 / 16, ratio, aligned)
        theirs = compiled(maps[1], rois, size, 1 / 16, ratio, 'avg', aligned)
        torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=1e-5)
        grad = torch.randn_like(ours)
        ours.backward(grad)
        theirs.backward(grad)
        torch.testing.assert_close(maps[0].grad, maps[1].grad, atol=1e-4, rtol=1e-4)


@pytest.mark.gpu
@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.float64])
def test_gpus_equal_cpus(dtype):
    feats, rois = case()
    maps = [feats.to(device, dtype).clone().requires_grad_() for device in ('cpu', 'cuda')]
    outs = [roi_align(x, rois.to(x), 7, 1 / 16) for x in maps]
    tolerance = dict(atol=5e-3, rtol=5e-3) if dtype == torch.float16 else dict(atol=2e-5, rtol=1e-5)
    torch.testing.assert_close(outs[1].cpu(), outs[0], **tolerance)
    grad = torch.randn(outs[0].shape, generator=torch.Generator().manual_seed(1)).to(dtype)
    for out in outs:
        out.backward(grad.to(out.device))
    torch.testing.assert_close(maps[1].grad.cpu(), maps[0].grad, **{k: 10 * v for k, v in tolerance.items()})
