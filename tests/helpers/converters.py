# Copyright (c) mmrdn contributors. All rights reserved.
"""Narrow detectors in the layouts that converters read and write."""

from pathlib import Path

import mmdet
import torch
from mmdet.datasets import CocoDataset
from mmengine.config import Config
from mmengine.registry import DefaultScope

from helpers.configs import ROOT, load
from mmrdn.registry import MODELS
from mmrdn.setup_env import register_all_modules

COCO = CocoDataset.METAINFO['classes']
# ImageNet VID's class and COCO's, by hand.
PAIRS = dict(
    airplane='airplane',
    bear='bear',
    bicycle='bicycle',
    bird='bird',
    bus='bus',
    car='car',
    cattle='cow',
    dog='dog',
    domestic_cat='cat',
    elephant='elephant',
    horse='horse',
    motorcycle='motorcycle',
    sheep='sheep',
    train='train',
    watercraft='boat',
    zebra='zebra',
)
BASE = 4  # channels of the stem; stages have 16, 32, 64 and 128
FPN = 8  # channels of the pyramid
FCS = 32  # of the box head
MMDET = Path(mmdet.__file__).parent / '.mim' / 'configs' / '_base_' / 'models'
DC5 = 'single-frame_faster-rcnn_r50-dc5_4xb1-120k_imagenetvid'

TO_FPN = dict(
    rpn_in_indices=None,
    roi_in_indices=None,
    detector=dict(
        backbone=dict(out_indices=(0, 1, 2, 3), strides=(1, 2, 2, 2), dilations=(1, 1, 1, 1)),
        neck=dict(type='FPN', in_channels=[4 * BASE, 8 * BASE, 16 * BASE, 32 * BASE], out_channels=FPN, num_outs=5),
        rpn_head=dict(
            in_channels=FPN, feat_channels=FPN, anchor_generator=dict(scales=[8], strides=[4, 8, 16, 32, 64])
        ),
        roi_head=dict(
            bbox_roi_extractor=dict(out_channels=FPN, featmap_strides=[4, 8, 16, 32]),
            bbox_head=dict(in_channels=FPN, num_shared_fcs=2),
        ),
    ),
)


def target_config(*changes):
    """Config of a single-frame RDN on a narrow ResNet-50, DC5."""
    cfg = load(ROOT / 'configs' / 'rdn' / f'{DC5}.py')
    cfg.merge_from_dict(
        dict(
            model=dict(
                detector=dict(
                    backbone=dict(base_channels=BASE, init_cfg=None),
                    rpn_head=dict(in_channels=16 * BASE, feat_channels=16 * BASE),
                    roi_head=dict(
                        bbox_roi_extractor=dict(out_channels=32 * BASE),
                        bbox_head=dict(in_channels=32 * BASE, fc_out_channels=FCS),
                    ),
                )
            )
        )
    )
    for change in changes:
        cfg.merge_from_dict(dict(model=change))
    return cfg


def build_target(cfg, checkpoint):
    """The video detector with a converted checkpoint in it."""
    register_all_modules(init_default_scope=False)
    with DefaultScope.overwrite_default_scope('mmrdn'):
        model = MODELS.build(cfg.model)
    result = model.load_state_dict(checkpoint['state_dict'], strict=False)
    assert not result.unexpected_keys
    return model.eval()


def mmdet_config(name):
    """A narrow version of one of mmdet's base models."""
    cfg = Config.fromfile(MMDET / f'faster-rcnn_r50{name}.py')
    model, head = cfg.model, cfg.model.roi_head.bbox_head
    model.backbone.update(base_channels=BASE, init_cfg=None)
    if name == '_fpn':
        model.neck.update(TO_FPN['detector']['neck'])
        model.rpn_head.update(in_channels=FPN, feat_channels=FPN)
        model.roi_head.bbox_roi_extractor.out_channels = FPN
        head.update(in_channels=FPN, fc_out_channels=FCS)
        return cfg
    channels = 16 if name == '-caffe-c4' else 32
    model.rpn_head.update(in_channels=channels * BASE, feat_channels=channels * BASE)
    model.roi_head.bbox_roi_extractor.out_channels = channels * BASE
    head.in_channels = 32 * BASE
    if name == '-caffe-c4':
        # mmdet's stage of the RoI head is always 512 channels wide inside.
        model.backbone.base_channels = 64
        model.rpn_head.update(in_channels=1024, feat_channels=16)
        model.roi_head.bbox_roi_extractor.out_channels = 1024
        model.roi_head.shared_head.init_cfg = None
        head.in_channels = 2048
    else:
        head.fc_out_channels = FCS
    return cfg


def build_mmdet(cfg, seed=0):
    """mmdet's detector, all weights and statistics random."""
    register_all_modules(init_default_scope=False)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg.model)
    randomize(model.state_dict(), seed)
    return model.eval()


def randomize(state, seed=0):
    """Fill entries with values that keep activations near 1."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(value, low, high):
        value.copy_(torch.rand(value.shape, generator=generator) * (high - low) + low)

    for key, value in state.items():
        if value.ndim > 1:
            fan_in = value[0].numel()
            scale = fan_in**-0.5
            uniform(value, -1.7 * scale, 1.7 * scale)
        elif key.endswith('running_var') or key.endswith('weight') and value.ndim == 1:
            uniform(value, 0.5, 1.5)
        elif value.is_floating_point():
            uniform(value, -0.5, 0.5)
    return state


def save_mmdet(path, cfg, model, classes=COCO):
    """Write a checkpoint as mmdet 3 does."""
    torch.save(
        dict(
            meta=dict(cfg=cfg.pretty_text, dataset_meta=dict(classes=classes), epoch=12), state_dict=model.state_dict()
        ),
        path,
    )
    return str(path)


def bgr_image(seed=0, size=(96, 128)):
    """(3, h, w) BGR gray levels, as read from a file."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (3, *size), generator=generator, dtype=torch.uint8)


BOXES = torch.tensor(
    [[10.0, 12.0, 60.0, 70.0], [0.0, 0.0, 127.0, 95.0], [30.5, 40.25, 45.75, 58.0], [64.0, 8.0, 120.0, 90.0]]
)
