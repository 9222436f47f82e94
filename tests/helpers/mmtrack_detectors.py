# Copyright (c) mmrdn contributors. All rights reserved.
"""mmtrack's video detectors, narrow, on the data of tests."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from mmengine.config import Config

from helpers.configs import ROOT, load, without_downloads
from mmrdn.registry import DATASETS, MODELS
from mmrdn.setup_env import register_all_modules

# What a child of configs/*/*_faster-rcnn_r50-dc5_8xb1-7e_movingdigits.py changes: a narrow
# detector, small pictures, one epoch of two frames, few reference frames, and no weight decay: what
# changes has a gradient.
NARROW = """
_base_ = '{base}'
_base_.train_dataloader.dataset.pipeline[0].transforms[2].scale = (250, 150)
_base_.test_dataloader.dataset.{resize}.scale = (250, 150)
data = '{data}/'
nms = dict(nms_pre=64, max_per_img=16)
model = dict(
    {video}
    detector=dict(
        backbone=dict(depth=18, base_channels=8),
        neck=dict(in_channels=[64], out_channels=16),
        rpn_head=dict(in_channels=16, feat_channels=16),
        roi_head=dict(
            bbox_roi_extractor=dict(out_channels=16),
            bbox_head=dict(in_channels=16, fc_out_channels=32, {head})),
        train_cfg=dict(rpn_proposal=nms, rcnn=dict(sampler=dict(num=16))),
        test_cfg=dict(rpn=nms)))
loading = dict(num_workers=0, persistent_workers=False)
train_dataloader = dict(
    **loading, dataset=dict(data_root=data, ann_file='{train}'))
val_dataloader = dict(**loading, dataset=dict(data_root=data, {sampler}))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data + 'annotations/moving_digits_val.json')
test_evaluator = val_evaluator
train_cfg = dict(max_epochs=1, val_begin=2)  # no validation
optim_wrapper = dict(optimizer=dict(weight_decay=0.0))
default_hooks = dict(logger=dict(interval=1))
randomness = dict(seed=0)
"""
_AGGREGATOR = 'aggregator=dict(in_channels=32, num_attention_blocks=4)'
_MOTION = "motion=dict(type='mmrdn.NarrowFlowNet', divisor=16),"
_REFERENCES = 'ref_img_sampler=dict(num_ref_imgs=4, frame_range=[-2, 2])'


@dataclass(frozen=True)
class Kind:
    """A video detector of mmtrack.

    Attributes:
        folder (str): Of its configs, here and in mmtrack.
        stem (str): What their names begin with.
        own (str): A parameter that a plain detector has not.
        video, head, sampler, resize (str): What fills ``NARROW``.
    """

    folder: str
    stem: str
    own: str
    video: str = ''
    head: str = ''
    sampler: str = _REFERENCES
    resize: str = 'pipeline[0].transforms[1]'

    def config(self, rest):
        """Path of its config ``{stem}_faster-rcnn_{rest}.py``."""
        return ROOT / 'configs' / self.folder / f'{self.stem}_faster-rcnn_{rest}.py'


KINDS = dict(
    selsa=Kind('selsa', 'selsa', 'detector.roi_head.bbox_head.aggregator.0.fc.weight', head=_AGGREGATOR),
    fgfa=Kind('fgfa', 'fgfa', 'aggregator.embed_convs.0.conv.weight', video=_MOTION + 'aggregator=dict(channels=16),'),
    dff=Kind(
        'dff',
        'dff',
        'motion.predict_flow.conv.weight',
        video=_MOTION + 'test_cfg=dict(key_frame_interval=2),',
        sampler='',
        resize='pipeline[1]',
    ),
    temporal_roi_align=Kind(
        'temporal_roi_align',
        'selsa-troialign',
        'detector.roi_head.bbox_roi_extractor.embed_network.conv.weight',
        head=_AGGREGATOR,
    ),
)

_NMS = dict(nms_pre=64, max_per_img=12, nms=dict(type='nms', iou_threshold=0.7), min_bbox_size=0)
SAMPLERS = {
    'stride 1': dict(num_ref_imgs=2, frame_range=[-1, 1], stride=1, method='test_with_fix_stride'),
    'stride 2': dict(num_ref_imgs=2, frame_range=[-1, 1], stride=2, method='test_with_fix_stride'),
    'adaptive': dict(num_ref_imgs=3, frame_range=[-1, 2], method='test_with_adaptive_stride'),
}


def build_small(kind, digits, sampler=None, **changes):
    """The kind's small config, narrower, its model of random weights, and its test data set."""
    cfg = load(KINDS[kind].config('r18_1xb1-6000_movingdigits'))
    detector = cfg.model.detector
    detector.backbone.base_channels = 8
    detector.neck.in_channels = [32]
    detector.test_cfg.rpn = _NMS
    if 'motion' in cfg.model:
        cfg.model.motion = dict(type='NarrowFlowNet', divisor=8, img_scale_factor=0.5)
    cfg.model.update(changes)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).eval()
    # Scores that differ: there are no ties to be broken one way or another.
    model.detector.roi_head.bbox_head.fc_cls.weight.data.normal_()
    item = cfg.test_dataloader.dataset
    item.update(data_root=f'{digits}/', ref_img_sampler=SAMPLERS.get(sampler))
    return cfg, model, DATASETS.build(item)


def write_narrow(path, kind, data):
    """Write the narrow config of a kind, its two frames; give its path."""
    path = Path(path)
    source = data / 'annotations' / 'moving_digits_train.json'
    content = json.loads(source.read_text())
    for image in content['images']:
        image['is_vid_train_frame'] = image['id'] in (1, 2)
    train = path.with_suffix('.json')
    train.write_text(json.dumps(content))
    path.write_text(
        NARROW.format(
            base=kind.config('r50-dc5_8xb1-7e_movingdigits'),
            data=data,
            train=train,
            video=kind.video,
            head=kind.head,
            sampler=kind.sampler,
            resize=kind.resize,
        )
    )
    return path


def write_random(path, config):
    """Write the model of a config with random weights; give these."""
    register_all_modules(init_default_scope=False)
    cfg = Config.fromfile(config)
    without_downloads(cfg.model)
    torch.manual_seed(0)
    model = MODELS.build(dict(cfg.model, _scope_=cfg.default_scope))
    model.init_weights()
    torch.save(dict(state_dict=model.state_dict(), meta=dict()), path)
    return model.state_dict()
