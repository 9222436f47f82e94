# Copyright (c) mmrdn contributors. All rights reserved.
"""torchvision's Faster R-CNN against what it was converted to.

It is computed here from its entries, by functions of torch alone; where torchvision is installed,
also by itself.
"""

import pytest
import torch
import torch.nn.functional as F
from mmdet.structures.bbox import bbox2roi

from helpers.converters import BASE, BOXES, FCS, FPN, PAIRS, TO_FPN, bgr_image, build_target, randomize, target_config
from helpers.rdn import sample
from mmrdn.model_converters import convert_detector, read_source

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
# COCO's category ids, by hand.
IDS = dict(
    bicycle=2,
    car=3,
    motorcycle=4,
    airplane=5,
    bus=6,
    train=7,
    boat=9,
    bird=16,
    cat=17,
    dog=18,
    horse=19,
    sheep=20,
    cow=21,
    elephant=22,
    bear=23,
    zebra=24,
)
ROIS = bbox2roi([BOXES])
BN = dict(type='BN', requires_grad=True)
# What ``fasterrcnn_resnet50_fpn_v2`` has more than the first version.
V2 = dict(
    detector=dict(
        neck=dict(norm_cfg=BN),
        rpn_head=dict(num_convs=2),
        roi_head=dict(bbox_head=dict(num_shared_convs=4, num_shared_fcs=1, conv_out_channels=FPN, norm_cfg=BN)),
    )
)


def layout(version, old_names=False, num_classes=91):
    """Random entries of a narrow ``fasterrcnn_resnet50_fpn`` or ``_v2``.

    The first version has frozen batch norms, which count no batches.
    """
    state = {}

    def conv(name, *shape, bias=False):
        state[f'{name}.weight'] = torch.empty(shape)
        if bias:
            state[f'{name}.bias'] = torch.empty(shape[0])

    def norm(name, channels):
        for part in ('weight', 'bias', 'running_mean', 'running_var'):
            state[f'{name}.{part}'] = torch.empty(channels)
        if version == 2:
            state[f'{name}.num_batches_tracked'] = torch.tensor(7)

    def conv_norm(name, *shape):
        """A convolution of the pyramid or the box head."""
        if version == 2:
            conv(f'{name}.0', *shape)
            norm(f'{name}.1', shape[0])
        else:
            conv(name if old_names else f'{name}.0', *shape, bias=True)

    body = 'backbone.body'
    conv(f'{body}.conv1', BASE, 3, 7, 7)
    norm(f'{body}.bn1', BASE)
    inputs = BASE
    for stage, blocks in enumerate((3, 4, 6, 3)):
        width = BASE * 2**stage
        for i in range(blocks):
            name = f'{body}.layer{stage + 1}.{i}'
            for j, shape in enumerate(((width, inputs, 1, 1), (width, width, 3, 3), (4 * width, width, 1, 1))):
                conv(f'{name}.conv{j + 1}', *shape)
                norm(f'{name}.bn{j + 1}', shape[0])
            if i == 0:
                conv(f'{name}.downsample.0', 4 * width, inputs, 1, 1)
                norm(f'{name}.downsample.1', 4 * width)
            inputs = 4 * width
        conv_norm(f'backbone.fpn.inner_blocks.{stage}', FPN, inputs, 1, 1)
    for stage in range(4):
        conv_norm(f'backbone.fpn.layer_blocks.{stage}', FPN, FPN, 3, 3)
    for i in range(version):
        name = 'rpn.head.conv' if old_names else f'rpn.head.conv.{i}.0'
        conv(name, FPN, FPN, 3, 3, bias=True)
    conv('rpn.head.cls_logits', 3, FPN, 1, 1, bias=True)
    conv('rpn.head.bbox_pred', 12, FPN, 1, 1, bias=True)
    heads = 'roi_heads.box_head'
    if version == 1:
        conv(f'{heads}.fc6', FCS, 49 * FPN, bias=True)
        conv(f'{heads}.fc7', FCS, FCS, bias=True)
    else:
        for i in range(4):
            conv_norm(f'{heads}.{i}', FPN, FPN, 3, 3)
        conv(f'{heads}.5', FCS, 49 * FPN, bias=True)
    name = 'roi_heads.box_predictor'
    conv(f'{name}.cls_score', num_classes, FCS, bias=True)
    conv(f'{name}.bbox_pred', 4 * num_classes, FCS, bias=True)
    return randomize(state)


class Reference:
    """Torchvision's own computation with these entries."""

    def __init__(self, state):
        self.state = state
        self.eps = 0.0 if 'rpn.head.conv.weight' in state else 1e-5

    def layer(self, x, name, **kwargs):
        weight = self.state[f'{name}.weight']
        bias = self.state.get(f'{name}.bias')
        if weight.ndim == 2:
            return F.linear(x, weight, bias)
        return F.conv2d(x, weight, bias, **kwargs)

    def norm(self, x, name):
        weight, bias, mean, var = (
            self.state[f'{name}.{part}'].view(1, -1, 1, 1) for part in ('weight', 'bias', 'running_mean', 'running_var')
        )
        return (x - mean) / (var + self.eps).sqrt() * weight + bias

    def conv_norm(self, x, name, padding=0):
        """A convolution with or without a batch norm, named either way."""
        if f'{name}.weight' in self.state:
            return self.layer(x, name, padding=padding)
        x = self.layer(x, f'{name}.0', padding=padding)
        if f'{name}.1.weight' in self.state:
            x = self.norm(x, f'{name}.1')
        return x

    def pyramid(self, image):
        """Five levels of a BGR image of gray levels."""
        x = ((image.flip(0) / 255.0 - MEAN) / STD)[None]
        body = 'backbone.body'
        x = self.layer(x, f'{body}.conv1', stride=2, padding=3)
        x = F.max_pool2d(self.norm(x, f'{body}.bn1').relu(), 3, 2, 1)
        laterals = []
        for stage, blocks in enumerate((3, 4, 6, 3)):
            for i in range(blocks):
                x = self.block(x, f'{body}.layer{stage + 1}.{i}', 2 if stage and not i else 1)
            laterals.append(self.conv_norm(x, f'backbone.fpn.inner_blocks.{stage}'))
        for stage in (2, 1, 0):
            laterals[stage] = laterals[stage] + F.interpolate(laterals[stage + 1], laterals[stage].shape[-2:])
        levels = [self.conv_norm(x, f'backbone.fpn.layer_blocks.{stage}', 1) for stage, x in enumerate(laterals)]
        return levels + [F.max_pool2d(levels[-1], 1, 2)]

    def block(self, x, name, stride):
        y = self.norm(self.layer(x, f'{name}.conv1'), f'{name}.bn1').relu()
        y = self.layer(y, f'{name}.conv2', stride=stride, padding=1)
        y = self.norm(y, f'{name}.bn2').relu()
        y = self.norm(self.layer(y, f'{name}.conv3'), f'{name}.bn3')
        if f'{name}.downsample.0.weight' in self.state:
            x = self.layer(x, f'{name}.downsample.0', stride=stride)
            x = self.norm(x, f'{name}.downsample.1')
        return (x + y).relu()

    def rpn(self, x):
        for name in ('rpn.head.conv', 'rpn.head.conv.0.0', 'rpn.head.conv.1.0'):
            if f'{name}.weight' in self.state:
                x = self.layer(x, name, padding=1).relu()
        return (self.layer(x, 'rpn.head.cls_logits'), self.layer(x, 'rpn.head.bbox_pred'))

    def predict(self, roi_feats):
        """Logits (n, 91) and deltas (n, 364) of RoI features."""
        x, head = roi_feats, 'roi_heads.box_head'
        if f'{head}.fc6.weight' in self.state:
            x = self.layer(x.flatten(1), f'{head}.fc6').relu()
            x = self.layer(x, f'{head}.fc7').relu()
        else:
            for i in range(4):
                x = self.conv_norm(x, f'{head}.{i}', 1).relu()
            x = self.layer(x.flatten(1), f'{head}.5').relu()
        name = 'roi_heads.box_predictor'
        return (self.layer(x, f'{name}.cls_score'), self.layer(x, f'{name}.bbox_pred'))


def converted(path, state, *changes, **kwargs):
    torch.save(state, path)
    target = target_config(TO_FPN, *changes)
    done = convert_detector(read_source(path, **kwargs), target)
    return build_target(target, done.checkpoint), done


def assert_same(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize('version, old_names', [(1, True), (1, False), (2, False)])
@torch.no_grad()
def test_same_function(version, old_names, tmp_path):
    state = layout(version, old_names)
    for key, value in state.items():  # where epsilon makes a difference
        if key.endswith('running_var'):
            value *= 1e-4
            state[key.replace('running_var', 'weight')] *= 1e-2
    ours, done = converted(tmp_path / 'tv.pth', state, *([V2] if version == 2 else []))
    assert not done.coverage.dropped
    assert set(done.coverage.used) == set(state)
    assert all('num_batches_tracked' in key for key in done.unfilled)
    reference, image = Reference(state), bgr_image()
    levels = reference.pyramid(image)
    inputs = ours.data_preprocessor(dict(inputs=dict(img=[image[None]]), data_samples=[sample((96, 128), 1, 0, 1)]))[
        'inputs'
    ]
    found = ours.detector.extract_feat(inputs['img'][:, 0])
    for a, b in zip(found, levels):
        assert_same(a, b)
    check_rpn(ours.detector.rpn_head, reference, levels)
    check_box_head(ours.detector, reference, levels, done)


def check_rpn(head, reference, levels):
    """Scores and deltas are the same, and anchors nearly: torchvision rounds
    their corners to pixels."""
    scores, deltas = head(levels)
    for i, level in enumerate(levels):
        for ours, theirs in zip((scores[i], deltas[i]), reference.rpn(level)):
            assert_same(ours, theirs)
        side, ratios = 32.0 * 2**i, torch.tensor([0.5, 1.0, 2.0])
        w, h = side / ratios.sqrt(), side * ratios.sqrt()
        anchors = (torch.stack([-w, -h, w, h], 1) / 2).round()  # theirs
        torch.testing.assert_close(head.prior_generator.base_anchors[i], anchors, rtol=0.03, atol=0)


def check_box_head(detector, reference, levels, done):
    roi_head = detector.roi_head
    roi_feats = roi_head.bbox_roi_extractor(levels[:4], ROIS)
    scores, deltas = roi_head.bbox_head(roi_head.bbox_head.embed(roi_feats))
    their_scores, their_deltas = reference.predict(roi_feats)
    classes = done.checkpoint['meta']['dataset_meta']['classes']
    for name, coco in PAIRS.items():
        i, j = classes.index(name), IDS[coco]  # background is their class 0
        assert_same(scores[:, i], their_scores[:, j])
        assert_same(deltas[:, 4 * i : 4 * i + 4], their_deltas[:, 4 * j : 4 * j + 4])
    assert_same(scores[:, 30], their_scores[:, 0])


@pytest.mark.slow
def test_other_classes(tmp_path):
    """A detector that was trained on three classes."""
    state = layout(1, num_classes=4)
    path = tmp_path / 'tv.pth'
    _, done = converted(path, state)
    assert set(done.coverage.dropped.values()) == {
        'the names of its classes are not known, name them by --source-classes'
    }
    _, done = converted(path, state, classes=('zebra', 'person', 'car'))
    rows = done.checkpoint['state_dict']['detector.roi_head.bbox_head.fc_cls.bias']
    given = state['roi_heads.box_predictor.cls_score.bias']
    # airplane is 0, car 6, zebra 29, background 30
    assert rows[[29, 6, 30, 0]].tolist() == [*given[[1, 3, 0]].tolist(), 0.0]


def test_dc5(tmp_path):
    """The backbone alone, as the rest stands on the pyramid."""
    state = layout(1)
    torch.save(state, tmp_path / 'tv.pth')
    done = convert_detector(read_source(tmp_path / 'tv.pth'), target_config())
    assert set(done.coverage.used) == {key for key in state if key.startswith('backbone.body.')}
    assert done.coverage.dropped['rpn.head.cls_logits.bias'] == ('neck below it is not that of the model')


@pytest.mark.parametrize('name', ['resnet50_fpn', 'resnet50_fpn_v2'])
@torch.no_grad()
def test_torchvision_itself(name, tmp_path):
    """Names and shapes of the layout, and outputs of the reference."""
    detection = pytest.importorskip(
        'torchvision.models.detection', reason='torchvision is not installed', exc_type=ImportError
    )
    build = getattr(detection, f'fasterrcnn_{name}')
    theirs = build(weights=None, weights_backbone=None).eval()
    state = randomize(theirs.state_dict())
    narrow = layout(2 if name.endswith('v2') else 1)
    assert set(narrow) == {key for key in state if name.endswith('v2') or not key.endswith('num_batches_tracked')}
    reference, image = Reference(state), bgr_image()
    x = ((image.flip(0) / 255.0 - MEAN) / STD)[None]
    levels = list(theirs.backbone(x).values())
    for a, b in zip(reference.pyramid(image), levels):
        assert_same(a, b)
    scores, deltas = theirs.rpn.head(levels)
    for i, level in enumerate(levels):
        for a, b in zip(reference.rpn(level), (scores[i], deltas[i])):
            assert_same(a, b)
    roi_feats = torch.rand(5, 256, 7, 7)
    expected = theirs.roi_heads.box_predictor(theirs.roi_heads.box_head(roi_feats))
    for a, b in zip(reference.predict(roi_feats), expected):
        assert_same(a, b)
    # Its RoI layer, in our words.
    extractor = build_target(
        target_config(
            TO_FPN,
            dict(
                detector=dict(
                    roi_head=dict(
                        bbox_roi_extractor=dict(out_channels=256, roi_layer=dict(aligned=False, sampling_ratio=2))
                    )
                )
            ),
        ),
        dict(state_dict={}),
    ).detector.roi_head.bbox_roi_extractor
    found = theirs.roi_heads.box_roi_pool(theirs.backbone(x), [BOXES], [(96, 128)])
    assert_same(extractor(levels[:4], ROIS), found)
