# Copyright (c) mmrdn contributors. All rights reserved.
"""mmtrack's SELSA and FGFA with box linking, on moving digits."""
import json

import pytest
import torch
from config_testing import ROOT, without_downloads
from mmengine.config import Config

from mmrdn.datasets.moving_digits_dataset import MovingDigitsDataset
from mmrdn.registry import MODELS
from mmrdn.utils.setup_env import register_all_modules

# Their detector, narrower; their test pipeline on our data, smaller.
SMALL = """
_base_ = '{root}/configs/{kind}/{kind}-{linker}_faster-rcnn_r50-dc5_8xb1-7e_imagenetvid.py'
data = '{data}/'
nms = dict(nms_pre=64, max_per_img=16)
model = dict(
    {extra}
    detector=dict(
        backbone=dict(depth=18, base_channels=8, init_cfg=None),
        neck=dict(in_channels=[64], out_channels=16),
        rpn_head=dict(in_channels=16, feat_channels=16),
        roi_head=dict(
            bbox_roi_extractor=dict(out_channels=16),
            bbox_head=dict(
                in_channels=16, fc_out_channels=32, num_classes=10{head})),
        test_cfg=dict(rpn=nms)))
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        type='mmrdn.MovingDigitsDataset',
        data_root=data,
        ann_file='annotations/moving_digits_val.json',
        pipeline=[
            dict(
                type='TransformBroadcaster',
                share_random_params=True,
                transforms=[
                    dict(type='LoadImageFromFile'),
                    dict(
                        type='mmdet.Resize',
                        scale=(160, 128),
                        keep_ratio=True)
                ]),
            dict(type='PackTrackInputs', pack_single_img=False)
        ],
        ref_img_sampler=dict(
            _delete_=True,
            num_ref_imgs=2,
            frame_range=[-2, 2],
            {sampler})))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data + 'annotations/moving_digits_val.json')
test_evaluator = dict(
    ann_file=data + 'annotations/moving_digits_val.json',
    outfile_prefix='{out}')
"""  # noqa: E501
KINDS = dict(
    selsa=dict(
        extra='',
        head=', aggregator=dict(in_channels=32, num_attention_blocks=4)',
        sampler="method='test_with_adaptive_stride'"),
    fgfa=dict(
        extra='motion=dict(init_cfg=None), aggregator=dict(channels=16),',
        head='',
        sampler="stride=1, method='test_with_fix_stride'"))


@pytest.mark.parametrize('kind, linker', [('selsa', 'seqnms'),
                                          ('selsa', 'tubes'),
                                          ('fgfa', 'tubes')])
def test_test_with_linking(kind, linker, digits, tmp_path, run_main):
    """The metric is that of the linked scores, which differ."""
    config = tmp_path / 'small.py'
    config.write_text(
        SMALL.format(
            root=ROOT,
            kind=kind,
            linker=linker,
            data=digits,
            out=tmp_path / 'out',
            **KINDS[kind]))
    register_all_modules(init_default_scope=False)
    cfg = Config.fromfile(config)
    without_downloads(cfg.model)
    torch.manual_seed(0)
    model = MODELS.build(dict(cfg.model, _scope_='mmtrack'))
    model.init_weights()
    checkpoint = tmp_path / 'random.pth'
    torch.save(dict(state_dict=model.state_dict(), meta=dict()), checkpoint)
    status, _, stderr = run_main('test.py', config, checkpoint, '--work-dir',
                                 tmp_path / 'work')
    assert status == 0, stderr
    logs = sorted((tmp_path / 'work').glob('2*/2*.json'))
    metrics = json.loads(logs[-1].read_text())
    assert {'vid/mAP50', 'vid/mAP50_unlinked'} <= set(metrics)
    content = json.loads((tmp_path / 'out.predictions.json').read_text())
    assert content['info']['linker'] == dict(
        seqnms='SeqNMS', tubes='TubeLinking')[linker]
    classes = [c['name'] for c in content['categories']]
    assert classes == list(MovingDigitsDataset.METAINFO['classes'])
    assert any('instance_id' in a for a in content['annotations'])
    assert len(content['images']) == 20
