# Copyright (c) mmrdn contributors. All rights reserved.
import numpy as np
import pytest
import torch
from mmcv.ops import batched_nms
from mmcv.ops import nms as mmcv_nms

from helpers import naive_ops
from mmrdn.ops import nms


def case(seed, num):
    """Boxes on a coarse grid, so that IoUs and scores are often equal."""
    rng = np.random.default_rng(seed)
    corner = rng.integers(0, 12, (num, 2)) * 4
    boxes = np.concatenate([corner, corner + rng.integers(0, 6, (num, 2)) * 4], 1)
    scores = rng.integers(0, 8, num) / 8
    return torch.tensor(boxes).float(), torch.tensor(scores).float()


@pytest.mark.slow
@pytest.mark.parametrize('offset', [0, 1])
def test_equals_a_plain_loop_in_500_cases(offset):
    for seed in range(500):
        boxes, scores = case(seed, seed % 30)
        threshold = (0.0, 1 / 3, 0.5, 0.7)[seed % 4]
        expected = naive_ops.nms(boxes.numpy(), scores.numpy(), threshold, offset)
        assert nms(boxes, scores, threshold, offset).tolist() == expected, seed


@pytest.mark.usefixtures('stand_in')
@pytest.mark.parametrize('threshold', [0.3, 0.7])
def test_through_mmcv_with_threshold_and_limit(threshold):
    for seed in range(40):
        boxes, scores = case(seed, 25)
        chosen = np.flatnonzero(scores.numpy() > 0.25)
        kept = naive_ops.nms(boxes.numpy()[chosen], scores.numpy()[chosen], threshold)
        dets, inds = mmcv_nms(boxes, scores, threshold, score_threshold=0.25, max_num=6)
        if len(chosen):
            assert inds.tolist() == chosen[kept][:6].tolist()
            assert torch.equal(dets, torch.cat([boxes[inds], scores[inds, None]], 1))


@pytest.mark.usefixtures('stand_in')
@pytest.mark.parametrize('split_thr', [10000, 5])
def test_classes_do_not_suppress_each_other(split_thr):
    for seed in range(40):
        boxes, scores = case(seed, 25)
        scores = scores + torch.arange(25) / 1000  # no ties: classes are visited in another order
        labels = torch.from_numpy(np.random.default_rng(seed).integers(0, 3, 25))
        expected = []
        for label in range(3):
            members = np.flatnonzero(labels.numpy() == label)
            expected += members[naive_ops.nms(boxes.numpy()[members], scores.numpy()[members], 0.5)].tolist()
        expected.sort(key=lambda i: -scores[i])
        _, inds = batched_nms(boxes, scores, labels, dict(type='nms', iou_threshold=0.5, split_thr=split_thr))
        assert inds.tolist() == expected, seed


@pytest.mark.slow
def test_none_one_and_many():
    assert nms(torch.zeros(0, 4), torch.zeros(0), 0.5).tolist() == []
    assert nms(torch.tensor([[0.0, 0, 4, 4]]), torch.tensor([-1.0]), 0.5).tolist() == [0]
    boxes = torch.arange(10000).float()[:, None] * 10 + torch.tensor([0.0, 0, 8, 8])
    scores = torch.rand(10000, generator=torch.Generator().manual_seed(0))
    twice = torch.cat([boxes, boxes + 1])
    kept = nms(twice, torch.cat([scores, scores - 2]), 0.5)  # 49 / 79 of each pair
    assert kept.tolist() == scores.argsort(descending=True, stable=True).tolist()


@pytest.mark.slow
def test_is_an_operator_of_torch():
    boxes, scores = case(0, 20)
    checks = 'test_schema', 'test_faketensor'
    found = torch.library.opcheck(torch.ops.mmrdn.nms, (boxes, scores, 0.5, 0), test_utils=checks)
    assert found == dict.fromkeys(checks, 'SUCCESS')


@pytest.mark.parametrize(
    ('args', 'message'),
    [
        (
            (torch.zeros(2, 5), torch.zeros(2), 0.5),
            r'boxes must be \(n, 4\) and scores \(n,\), got \(2, 5\) and \(2,\)',
        ),
        ((torch.zeros(2, 4), torch.zeros(3), 0.5), r'got \(2, 4\) and \(3,\)'),
        ((torch.zeros(2, 4), torch.zeros(2), 0.5, 2), 'offset must be 0 or 1, got 2'),
    ],
)
def test_wrong_input(args, message):
    with pytest.raises(ValueError, match=message):
        nms(*args)


@pytest.mark.gpu
@pytest.mark.parametrize('offset', [0, 1])
def test_gpus_equal_cpus(offset):
    for seed in range(50):
        boxes, scores = case(seed, 60)
        found = nms(boxes.cuda(), scores.cuda(), 0.5, offset)
        assert found.is_cuda and found.tolist() == nms(boxes, scores, 0.5, offset).tolist(), seed
