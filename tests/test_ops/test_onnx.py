# Copyright (c) mmrdn contributors. All rights reserved.
"""The operators of mmrdn as those of ONNX."""

import numpy as np
import pytest
import torch

from helpers import naive_ops
from helpers.exported import need_onnx
from mmrdn.ops import image_nms, roi_align

need_onnx()

import onnxruntime  # noqa: E402

from mmrdn.export.onnx_graph import save_onnx, to_onnx  # noqa: E402


class Operator(torch.nn.Module):
    """A function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, first, second):
        return self.function(first, second)


def run(function, inputs, path):
    save_onnx(to_onnx(Operator(function), inputs, (('first', 'second'), 'out'), 'operator'), path)
    values = dict(zip(('first', 'second'), (x.numpy() for x in inputs)))
    return onnxruntime.InferenceSession(path).run(None, values)[0]


@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('ratio', [0, 2])
def test_roi_align(aligned, ratio, tmp_path):
    rng = np.random.default_rng(0)
    feats = torch.tensor(rng.normal(size=(2, 3, 9, 11)), dtype=torch.float32)
    boxes = [[0, 0, 80, 70], [-30, -20, 20, 30], [60, 50, 130, 120], [10, 10, 10.5, 10.5], [200, 200, 300, 300]]
    rois = torch.tensor([[i % 2, *box] for i, box in enumerate(boxes)], dtype=torch.float32)
    found = run(lambda x, y: roi_align(x, y, (3, 2), 0.125, ratio, aligned), (feats, rois), tmp_path / 'x.onnx')
    expected = naive_ops.roi_align(feats, rois, (3, 2), 0.125, ratio, aligned)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('num', [4, 80])
def test_nms_of_several_images(offset, num, tmp_path):
    """Also where an image has fewer boxes than rows, and where it has more."""
    rng = np.random.default_rng(1)
    corners = rng.integers(0, 30, (3, 60, 2))
    boxes = torch.tensor(np.concatenate([corners, corners + rng.integers(1, 20, (3, 60, 2))], 2), dtype=torch.float32)
    boxes[1] += 1000 * torch.arange(60)[:, None]  # none overlaps another
    scores = torch.tensor(rng.integers(0, 8, (3, 60)) / 8, dtype=torch.float32)  # many are equal
    expected = np.full((3, num), -1)
    for row, *image in zip(expected, boxes.numpy(), scores.numpy()):
        kept = naive_ops.nms(*image, 0.4, offset)[:num]
        row[: len(kept)] = kept
    assert (expected[1] >= 0).sum() == min(num, 60) and (num == 4 or (expected[0] >= 0).sum() < 60)
    np.testing.assert_array_equal(image_nms(boxes, scores, 0.4, num, offset), expected)
    found = run(lambda x, y: image_nms(x, y, 0.4, num, offset), (boxes, scores), tmp_path / 'x.onnx')
    np.testing.assert_array_equal(found, expected)


def test_nms_of_several_images_refuses_other_shapes():
    with pytest.raises(ValueError, match=r'\(B, n, 4\) and scores \(B, n\), got \(5, 4\) and \(5,\)'):
        image_nms(torch.zeros(5, 4), torch.zeros(5), 0.5, 3)
    with pytest.raises(ValueError, match='offset must be 0 or 1, got 2'):
        image_nms(torch.zeros(1, 5, 4), torch.zeros(1, 5), 0.5, 3, 2)
