# Copyright (c) mmrdn contributors. All rights reserved.
"""Rows of predictors by anchor and by class, and pixels."""

import math

import pytest
import torch
import torch.nn.functional as F
from mmdet.models.task_modules import AnchorGenerator, DeltaXYWHBBoxCoder

from helpers.converters import COCO, PAIRS
from mmrdn.datasets.imagenet_vid_classes import IMAGENET_VID
from mmrdn.model_converters.anchor_grid import AnchorGrid, anchor_moves, match_anchors
from mmrdn.model_converters.backbone_conventions import InputPixels, convert_stem
from mmrdn.model_converters.predictor_rows import (
    check_coder,
    class_delta_rows,
    match_classes,
    matched_rows,
    recode_deltas,
    source_coder,
)
from mmrdn.model_converters.torchvision_layout import coco_91_classes


def grid(scales, offset=0.0, strides=(16,), coder=None):
    generator = AnchorGenerator(scales=scales, ratios=[0.5, 1.0, 2.0], strides=strides, center_offset=offset)
    return generator, AnchorGrid.measure(generator, coder or DeltaXYWHBBoxCoder())


# Classes.


def test_classes_of_coco():
    matches = match_classes(tuple(IMAGENET_VID), COCO)
    assert {name: COCO[index] for name, index in zip(IMAGENET_VID, matches) if index is not None} == PAIRS


def test_names_are_compared_freely():
    assert match_classes(['red_panda', 'cow', 'x'], ['Red Panda', 'cattle', 'red-panda']) == [0, 1, None]
    assert match_classes(['airplane', 'motorcycle'], ['motorbike', 'aeroplane']) == [1, 0]


def test_ids_of_coco():
    names = coco_91_classes()
    assert len(names) == 90
    for index, name in (
        (1, 'person'),
        (11, 'fire hydrant'),
        (12, 'N/A'),
        (13, 'stop sign'),
        (25, 'giraffe'),
        (27, 'backpack'),
        (44, 'bottle'),
        (46, 'wine glass'),
        (67, 'dining table'),
        (70, 'toilet'),
        (90, 'toothbrush'),
    ):
        assert names[index - 1] == name


def test_class_rows():
    initial, source = -torch.ones(4, 2), torch.arange(6.0).view(3, 2)
    rows = matched_rows(initial, source, [1, None, 0, 2])  # the last row is background
    assert rows.tolist() == [[2, 3], [-1, -1], [0, 1], [4, 5]]
    deltas = class_delta_rows(-torch.ones(12), torch.arange(8.0), [1, None, 0])
    assert deltas.tolist() == [4, 5, 6, 7, -1, -1, -1, -1, 0, 1, 2, 3]
    shared = class_delta_rows(-torch.ones(8), torch.arange(4.0), [None, 7])
    assert shared.tolist() == [0, 1, 2, 3, 0, 1, 2, 3]
    with pytest.raises(ValueError, match='^its boxes depend on the class'):
        class_delta_rows(torch.ones(4), torch.ones(8), [0])


# Anchors.


def test_match_anchors():
    assert match_anchors(grid([4, 8])[1], grid([2, 4, 8])[1]) == [1, 2, 4, 5, 7, 8]
    assert match_anchors(grid([4, 64])[1], grid([4])[1]) == [0, None, 1, None, 2, None]
    for ours, theirs, message in [
        (
            grid([8], strides=(4, 8)),
            grid([8], strides=(8, 16)),
            'its anchors have strides [8, 16], those of the model [4, 8]',
        ),
        (grid([8]), grid([4]), 'none of its anchors has the size of one of those of the model'),
    ]:
        with pytest.raises(ValueError) as error:
            match_anchors(ours[1], theirs[1])
        assert str(error.value) == message
    assert matched_rows(torch.zeros(6), torch.arange(4.0), [1, None, 0]).tolist() == [2, 3, 0, 0, 0, 1]


@pytest.mark.parametrize(
    'settings, message',
    [
        (dict(type='SSDAnchorGenerator'), 'its anchors are not those of an AnchorGenerator, but of SSDAnchorGenerator'),
        (None, 'its anchors are not those of an AnchorGenerator, but of None'),
        (
            dict(type='AnchorGenerator', side=3),
            "its anchors cannot be built: AnchorGenerator.__init__() got an unexpected keyword argument 'side'",
        ),
    ],
)
def test_anchors_of_a_config(settings, message):
    with pytest.raises(ValueError) as error:
        AnchorGrid.of_config(dict(anchor_generator=settings))
    assert str(error.value) == message


class CountsLastPixel(DeltaXYWHBBoxCoder):
    """Width is x2 - x1 + 1."""

    def decode(self, bboxes, pred_bboxes, **kwargs):
        wide = torch.cat([bboxes[:, :2], bboxes[:, 2:] + 1], 1)
        boxes = super().decode(wide, pred_bboxes, **kwargs)
        return torch.cat([boxes[:, :2], boxes[:, 2:] - 1], 1)


@pytest.mark.parametrize('kind, pixel', [(DeltaXYWHBBoxCoder, 0.0), (CountsLastPixel, 1.0)])
def test_same_boxes_from_other_anchors(kind, pixel):
    """Anchors 8 pixels away and 5 percent smaller, deltas in other units."""
    generator, theirs = grid([4])
    coder = kind(target_stds=[0.1, 0.1, 0.2, 0.2])
    other, ours = grid([3.8], 0.5, coder=coder)
    matches = match_anchors(ours, theirs)
    assert matches == [0, 1, 2]
    weight, bias = torch.rand(12, 5), torch.rand(12) - 0.5
    new = recode_deltas(weight, bias, source_coder({}), check_coder(coder), *anchor_moves(ours, theirs, matches))
    x = torch.rand(5)
    old_deltas, new_deltas = ((w @ x + b).view(3, 4).double() for w, b in ((weight, bias), new))
    stds = (0.1, 0.1, 0.2, 0.2)
    for i in range(3):
        boxes = []
        for anchor, deltas, one in (
            (generator.base_anchors[0][i], old_deltas[i], 0.0),
            (other.base_anchors[0][i], new_deltas[i] * torch.tensor(stds), pixel),
        ):
            x1, y1, x2, y2 = anchor.tolist()
            dx, dy, dw, dh = deltas.tolist()
            w, h = x2 + one - x1, y2 + one - y1
            boxes.append([x1 + w / 2 + dx * w, y1 + h / 2 + dy * h, w * math.exp(dw), h * math.exp(dh)])
        assert boxes[0] == pytest.approx(boxes[1], rel=1e-4, abs=1e-3)


def test_coders_that_are_not_known():
    with pytest.raises(ValueError) as error:
        source_coder(dict(type='TBLRBBoxCoder'))
    assert str(error.value) == 'its boxes are coded by a TBLRBBoxCoder'
    with pytest.raises(ValueError) as error:
        check_coder(torch.nn.Identity())
    assert str(error.value) == 'the model codes boxes by a Identity'


# Pixels.


@pytest.mark.parametrize('rgb', [False, True])
def test_other_pixels(rgb):
    """The same maps, borders included."""
    image = torch.randint(0, 256, (3, 9, 9)).double()  # BGR
    caffe = InputPixels.of_config(dict(mean=[103.53, 116.28, 123.675], std=[1, 1, 2], bgr_to_rgb=False))
    target = InputPixels.of_config(
        dict(
            mean=[123.675, 116.28, 103.53] if rgb else [103.53, 116.28, 123.675],
            std=[58.395, 57.12, 57.375],
            bgr_to_rgb=rgb,
        )
    )
    weight = torch.rand(2, 3, 3, 3)

    def maps(pixels, weight):
        x = image.flip(0) if pixels.rgb else image
        x = torch.stack([(channel - mean) / std for channel, mean, std in zip(x, pixels.mean, pixels.std)])
        return F.conv2d(x[None], weight.double(), padding=1)

    torch.testing.assert_close(
        maps(target, convert_stem(weight, caffe, target)), maps(caffe, weight), rtol=1e-5, atol=1e-4
    )
    assert caffe.mean_distance(target) == 0
