# Copyright (c) mmrdn contributors. All rights reserved.
"""Configs of mmtrack's detectors differ from mmtrack's as they say."""

import mmtrack.models
import pytest
import torch
from mmengine.hub import get_config
from mmengine.registry import DefaultScope, init_default_scope

from helpers.configs import COMPARED, RDN, build, load
from helpers.mmtrack_detectors import KINDS
from mmrdn.registry import MODELS
from mmrdn.setup_env import register_all_modules

every_kind = pytest.mark.parametrize('kind', KINDS)


@pytest.fixture(autouse=True)
def scope():
    """The default scope afterwards is what it was."""
    register_all_modules(init_default_scope=False)
    before = DefaultScope.get_current_instance()
    yield
    if before is not None:
        init_default_scope(before.scope_name)


def mmtracks(kind, depth=50):
    """mmtrack's own config."""
    path = kind.config(f'r{depth}-dc5_8xb1-7e_imagenetvid')
    return get_config(f'mmtrack::vid/{kind.folder}/{path.name}')


def plain(cfg):
    """As a dict without the scopes that MMEngine marks."""

    def strip(node):
        if isinstance(node, dict):
            return {key: strip(value) for key, value in node.items() if not (key == '_scope_' and value == 'mmtrack')}
        if isinstance(node, (list, tuple)):
            return [strip(value) for value in node]
        return node

    return strip(cfg.to_dict())


def take_type(cfg, theirs):
    """Take the detector away: mmtrack's, or of SELSA our subclass."""
    ours, wanted = cfg['model'].pop('type'), theirs['model'].pop('type')
    assert ours == ('mmrdn.SELSA' if wanted == 'SELSA' else wanted)
    assert issubclass(MODELS.get(ours), getattr(mmtrack.models, wanted))


def take_save_best(cfg, theirs):
    """Take the score of the best checkpoint away, which mmtrack's configs do not name."""
    assert 'save_best' not in theirs['default_hooks']['checkpoint']
    assert cfg['default_hooks']['checkpoint'].pop('save_best') == 'vid/mAP50'


@pytest.mark.parametrize('depth', [50, 101])
@every_kind
def test_imagenet_vid_is_mmtracks_but_for_file_metric_and_best_checkpoint(kind, depth):
    kind = KINDS[kind]
    cfg = plain(load(kind.config(f'r{depth}-dc5_8xb1-7e_imagenetvid')))
    theirs = plain(mmtracks(kind, depth))
    take_save_best(cfg, theirs)
    for name in ('custom_imports', 'det_ann_file', 'vid_metric'):
        cfg.pop(name)
    take_type(cfg, theirs)
    det, other = (c['train_dataloader']['dataset']['datasets'][1] for c in (cfg, theirs))
    assert det.pop('ann_file') == 'annotations/imagenet_det_30classes.json'
    assert other.pop('ann_file') == 'annotations/imagenet_det_30plus1cls.json'
    for name in ('val_evaluator', 'test_evaluator'):
        assert cfg.pop(name) == dict(type='mmrdn.VIDMetric', ann_file=theirs.pop(name)['ann_file'])
    assert cfg == theirs


@every_kind
def test_moving_digits_is_mmtracks_from_scratch(kind):
    kind = KINDS[kind]
    cfg = plain(load(kind.config('r50-dc5_8xb1-7e_movingdigits')))
    theirs = plain(mmtracks(kind))
    take_save_best(cfg, theirs)
    given = [name for name in cfg if name.startswith('digits_')]  # what the configs have in common
    for name in ('custom_imports', *given, 'val_evaluator', 'test_evaluator'):
        cfg.pop(name), theirs.pop(name, None)
    take_type(cfg, theirs)
    backbone = theirs['model']['detector']['backbone']
    backbone.update(frozen_stages=-1, norm_eval=False, init_cfg=None)
    theirs['model']['detector']['roi_head']['bbox_head']['num_classes'] = 10
    if 'motion' in theirs['model']:
        theirs['model']['motion']['init_cfg'] = None
    train = cfg['train_dataloader'].pop('dataset')
    vid, _ = theirs['train_dataloader'].pop('dataset')['datasets']
    assert train['ref_img_sampler'] == vid['ref_img_sampler']
    *transforms, flip = vid['pipeline'][0]['transforms']
    assert flip['type'] == 'RandomFlip'
    assert train['pipeline'] == [dict(vid['pipeline'][0], transforms=transforms), vid['pipeline'][1]]
    for name in ('val_dataloader', 'test_dataloader'):
        theirs[name]['dataset'].update(
            type='mmrdn.MovingDigitsDataset',
            data_root='data/moving_digits/',
            ann_file='annotations/moving_digits_val.json',
        )
    assert cfg == theirs


@every_kind
def test_small_ones_are_trained_as_rdn_is(kind):
    """The same detector but for its head and group norm, and as many images
    and steps."""
    path = KINDS[kind].config('r18_1xb1-6000_movingdigits')
    cfg, rdn = load(path), load(RDN['rdn_faster-rcnn_r18_1xb4-1500_movingdigits'])
    assert cfg.model.detector.backbone.pop('norm_cfg').type == 'GN'
    for part in ('backbone', 'neck', 'rpn_head', 'train_cfg', 'test_cfg'):
        assert cfg.model.detector[part] == rdn.model.detector[part]
    assert cfg.model.data_preprocessor == rdn.model.data_preprocessor
    for name in ('num_classes', 'reg_class_agnostic', 'fc_out_channels'):
        assert cfg.model.detector.roi_head.bbox_head[name] == rdn.model.detector.roi_head.bbox_head[name]
    accumulated = cfg.optim_wrapper.pop('accumulative_counts')
    assert cfg.optim_wrapper == rdn.optim_wrapper
    assert cfg.train_dataloader.batch_size == 1
    assert accumulated == rdn.train_dataloader.batch_size
    assert cfg.train_cfg.max_iters == accumulated * rdn.train_cfg.max_iters
    assert cfg.param_scheduler == rdn.param_scheduler  # one cycle, as long as the training
    assert 'total_steps' not in rdn.param_scheduler[0]
    assert cfg.test_evaluator == rdn.test_evaluator
    num_refs = cfg.train_dataloader.dataset.ref_img_sampler.num_ref_imgs
    assert num_refs == (1 if kind == 'dff' else 2)  # mmtrack's DFF takes one


@every_kind
@pytest.mark.parametrize('stem', COMPARED)
def test_detectors_of_the_comparison_differ_in_nothing_but_what_they_are(kind, stem):
    """The same images in the same order, steps, optimizer, norm, supports and test; only DFF takes one support."""
    cfg, ours = load(KINDS[kind].config('r18_1xb1-6000_movingdigits')), load(RDN[stem])
    for part in ('backbone', 'neck', 'rpn_head', 'train_cfg', 'test_cfg'):
        assert cfg.model.detector[part] == ours.model.detector[part]
    for key in ('optim_wrapper', 'train_cfg', 'param_scheduler', 'randomness', 'test_evaluator', 'custom_hooks'):
        assert cfg[key] == ours[key]
    assert cfg.optim_wrapper.accumulative_counts == 4
    theirs, own = cfg.train_dataloader, ours.train_dataloader
    supports = theirs.dataset.pop('ref_img_sampler'), own.dataset.pop('ref_img_sampler')
    assert theirs == own and own.batch_size == 1
    if stem.startswith('rdn_') and kind != 'dff':
        assert supports[0] == supports[1]
    before, after = -ours.model.temporal_range, ours.model.temporal_range
    chosen = cfg.test_dataloader.dataset.ref_img_sampler
    if kind != 'dff' and stem.startswith('rdn_'):
        wanted = dict(num_ref_imgs=after - before, frame_range=[before, after], stride=1, method='test_with_fix_stride')
        assert chosen == wanted
    for cfg_ in (cfg, ours):
        dataset = cfg_.test_dataloader.dataset
        dataset.pop('ref_img_sampler'), dataset.pop('pipeline')
    assert cfg.test_dataloader == ours.test_dataloader


@pytest.mark.slow
@pytest.mark.parametrize(
    'rest, shape', [('r101-dc5_8xb1-7e_imagenetvid', (1, 512, 8, 10)), ('r18_1xb1-6000_movingdigits', (1, 64, 16, 20))]
)
@every_kind
def test_feature_maps_and_own_parameter(kind, rest, shape):
    model = build(KINDS[kind].config(rest))
    (x,) = model.detector.extract_feat(torch.zeros(1, 3, 128, 160, device='meta'))
    assert x.shape == shape
    head = model.detector.roi_head.bbox_head
    assert head.fc_cls.out_features == (31 if 'vid' in rest else 11)
    assert KINDS[kind].own in model.state_dict()
