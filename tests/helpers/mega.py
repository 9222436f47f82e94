# Copyright (c) mmrdn contributors. All rights reserved.
"""Checkpoints in the key layout of the public MEGA repository.

Written from the table of its keys and shapes, without mmrdn. Sizes are parameters, so that tests
can be small.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
FEATURES = 'roi_heads.box.feature_extractor.'
PREDICTOR = 'roi_heads.box.predictor.'
FULL_SIZE = dict(width=64, rpn=1024, fc=1024, heads=16, classes=30, reduced_to=256)
TINY = dict(width=4, rpn=64, fc=32, heads=4, classes=3, reduced_to=16)


@dataclass
class Layout:
    """Which model, and how wide."""

    kind: str  # 'single-frame', 'rdn-basic' or 'rdn'
    depth: int = 50
    reduced: bool = True
    width: int = 4  # channels of the stem; conv2 has four times as many
    rpn: int = 64
    fc: int = 32
    heads: int = 4
    classes: int = 3
    reduced_to: int = 16

    @property
    def relations(self):
        return {'single-frame': 0, 'rdn-basic': 2, 'rdn': 4}[self.kind]

    def shapes(self):
        """{key: shape} of everything but the buffer of the anchors."""
        out = {}

        def norm(name, channels):
            for part in ('weight', 'bias', 'running_mean', 'running_var'):
                out[f'{name}.{part}'] = (channels,)

        def layer(name, *weight):
            out[f'{name}.weight'] = weight
            out[f'{name}.bias'] = weight[:1]

        w = self.width
        out['backbone.body.stem.conv1.weight'] = (w, 3, 7, 7)
        norm('backbone.body.stem.bn1', w)
        channels = w
        blocks = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}[self.depth]
        for stage, num in enumerate(blocks):
            prefix = 'backbone.body.' if stage < 3 else f'{FEATURES}head.'
            mid = w * 2**stage
            for i in range(num):
                name = f'{prefix}layer{stage + 1}.{i}'
                convs = ((mid, channels, 1, 1), (mid, mid, 3, 3), (4 * mid, mid, 1, 1))
                for j, shape in enumerate(convs, 1):
                    out[f'{name}.conv{j}.weight'] = shape
                    norm(f'{name}.bn{j}', shape[0])
                if i == 0:
                    out[f'{name}.downsample.0.weight'] = (4 * mid, channels, 1, 1)
                    norm(f'{name}.downsample.1', 4 * mid)
                channels = 4 * mid
        conv4 = 16 * w
        layer('rpn.head.conv', self.rpn, conv4, 3, 3)
        layer('rpn.head.cls_logits', 12, self.rpn, 1, 1)
        layer('rpn.head.bbox_pred', 48, self.rpn, 1, 1)
        if self.reduced:
            layer(f'{FEATURES}conv', self.reduced_to, channels, 1, 1)
            channels = self.reduced_to
        fc = self.fc
        names = dict(zip(('single-frame', 'rdn-basic', 'rdn'), (2, 2, 3)))
        for i in range(names[self.kind]):
            name = f'fc{i + 6}' if self.kind == 'single-frame' else f'fcs.{i}'
            layer(f'{FEATURES}{name}', fc, fc if i else channels * 49)
        for k in range(self.relations):
            layer(f'{FEATURES}Wgs.{k}', self.heads, 64, 1, 1)
            layer(f'{FEATURES}Wqs.{k}', fc, fc)
            layer(f'{FEATURES}Wks.{k}', fc, fc)
            layer(f'{FEATURES}Wvs.{k}', fc, fc, 1, 1)
        layer(f'{PREDICTOR}cls_score', self.classes + 1, fc)
        layer(f'{PREDICTOR}bbox_pred', 4 * (self.classes + 1), fc)
        return out


def anchors():
    """(12, 4) of stride 16, the classic way: rounded, then scaled."""
    boxes = []
    for ratio in (0.5, 1, 2):
        width = np.round(np.sqrt(16 * 16 / ratio))
        height = np.round(width * ratio)
        for scale in (4, 8, 16, 32):
            w, h = width * scale, height * scale
            boxes.append([7.5 - 0.5 * (w - 1), 7.5 - 0.5 * (h - 1), 7.5 + 0.5 * (w - 1), 7.5 + 0.5 * (h - 1)])
    return np.array(boxes)


# Boxes stay near the image, no class is certain, attention is spread.
_MILDER = {
    'rpn.head.bbox_pred': 0.1,
    'rpn.head.cls_logits': 0.7,
    'Wgs': 0.5,
    'Wqs': 0.5,
    'Wks': 0.5,
    'cls_score': 0.5,
    'predictor.bbox_pred': 0.5,
}


def state_dict(layout, seed=0):
    """Random weights, large enough to tell inputs apart."""
    generator = torch.Generator().manual_seed(seed)

    def normal(shape, std):
        return torch.randn(shape, generator=generator) * std

    state = {}
    for key, shape in layout.shapes().items():
        part = key.rpartition('.')[2]
        fan_in = math.prod(shape[1:])
        if part == 'running_var':
            value = torch.rand(shape, generator=generator) + 0.5
        elif part == 'running_mean':
            value = normal(shape, 0.1)
        elif len(shape) == 1 and part == 'weight':  # of a norm
            value = torch.rand(shape, generator=generator) * 0.5 + 0.5
            if '.bn3.' in key:
                value = value * 0.5
        elif len(shape) == 1:
            value = normal(shape, 0.2)
        elif 'stem.conv1' in key:  # of gray levels
            value = normal(shape, 0.02 * (2 / fan_in) ** 0.5)
        else:
            value = normal(shape, (2 / fan_in) ** 0.5)
        if len(shape) > 1:
            for name, factor in _MILDER.items():
                value = value * factor if name in key else value
        state[key] = value
    state['rpn.anchor_generator.cell_anchors.0'] = torch.tensor(anchors(), dtype=torch.float32)
    return state


def save(path, state, **others):
    """A file as its trainer writes it."""
    torch.save(dict(model=state, iteration=120000, **others), path)
    return path


# A config of configs/rdn_mega for a layout of TINY sizes.
CONFIG = """
_base_ = '{root}/configs/rdn_mega/{base}'
rpn = dict(nms_pre=200, max_per_img=20)
model = dict(
    detector=dict(
        backbone=dict(base_channels=4, stem_channels=4, init_cfg=None),
        rpn_head=dict(in_channels=64, feat_channels=64),
        roi_head=dict(bbox_head=dict(fc_out_channels=32, num_classes=3)),
        train_cfg=dict(
            rpn=dict(allowed_border=-1), rpn_proposal=rpn,
            rcnn=dict(sampler=dict(num=16))),
        test_cfg=dict(rpn=rpn, rcnn=dict(max_per_img=40))))
test_dataloader = dict(dataset=dict(metainfo=dict(classes=('a', 'b', 'c'))))
"""
REDUCED = """
model['detector'].update(
    neck=dict(in_channels=128, out_channels=16))
model['detector']['roi_head'].update(
    bbox_roi_extractor=dict(out_channels=16))
model['detector']['roi_head']['bbox_head'].update(in_channels=16)
"""
FULL = """
model['detector']['roi_head'].update(
    bbox_roi_extractor=dict(out_channels=128))
model['detector']['roi_head']['bbox_head'].update(in_channels=128)
"""
RELATED = """
model.update(
    temporal_range=2,
    neck=dict(in_channels=32, num_heads=4),
    support_sampler=dict(num_support=8, advanced_ratio=0.25))
"""


def config_name(layout):
    length = '60k' if layout.kind == 'rdn' else '120k'
    return f'{layout.kind}_faster-rcnn_r{layout.depth}-caffe-c4_4xb1-{length}_imagenetvid.py'


def write_config(path, layout, extra=''):
    """The config of a tiny layout, in a file."""
    text = CONFIG.format(root=ROOT, base=config_name(layout))
    text += REDUCED if layout.reduced else FULL
    text += RELATED if layout.relations else ''
    Path(path).write_text(text + extra)
    return path
