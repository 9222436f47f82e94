# Copyright (c) mmrdn contributors. All rights reserved.
"""Every config loads, builds, names only what is there, and has a correct entry in a metafile."""

import ast
import re
from types import SimpleNamespace

import pytest
import torch
import yaml
from mmengine.registry import LOOPS, OPTIMIZERS, DefaultScope, init_default_scope
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop
from modelindex.load_model_index import load as load_model_index

from helpers.configs import (
    COMPARED,
    DAVIS,
    DIGITS,
    FILES,
    LINKED,
    MEGA,
    MIXED,
    MIXED_DIGITS,
    MIXED_VID,
    MMTRACK,
    OURS,
    RDN,
    ROOT,
    VID,
    arguments,
    build,
    datasets,
    load,
)
from mmrdn.apis.config_files import unread_keys
from mmrdn.engine.schedule_checks import check_schedulers_fit
from mmrdn.registry import (
    DATA_SAMPLERS,
    DATASETS,
    HOOKS,
    METRICS,
    MODELS,
    OPTIM_WRAPPERS,
    PARAM_SCHEDULERS,
    TRANSFORMS,
    VISUALIZERS,
)
from mmrdn.setup_env import register_all_modules

METAFILES = {
    path: yaml.load(path.read_text(), yaml.CSafeLoader) for path in sorted((ROOT / 'configs').rglob('metafile.yml'))
}
ZOO = [(path, model) for path, content in METAFILES.items() for model in content['Models']]
every_config = pytest.mark.parametrize('path', FILES, ids=lambda path: f'{path.parent.name}/{path.stem}')
every_entry = pytest.mark.parametrize('metafile, model', ZOO, ids=[model['Name'] for _, model in ZOO])


def with_every_model(field, named):
    """Parametrize a test that builds models, by name; the large ones together take many seconds."""
    marks = {True: [pytest.mark.slow], False: []}
    params = [pytest.param(item, id=name, marks=marks['imagenetvid' in name]) for name, item in named]
    return pytest.mark.parametrize(field, params)


@pytest.fixture(autouse=True)
def scope():
    """The default scope of our configs, and afterwards what it was."""
    before = DefaultScope.get_current_instance()
    register_all_modules(init_default_scope=False)
    init_default_scope('mmrdn')
    yield
    if before is not None:
        init_default_scope(before.scope_name)


def bases(path):
    """The files that a config inherits from."""
    for node in ast.parse(path.read_text()).body:
        if ast.unparse(node).startswith('_base_ ='):
            value = ast.literal_eval(node.value)
            return [value] if isinstance(value, str) else value
    return []


def depth(path):
    """Levels of `_base_` below a config; 1 for a file of another package."""
    return max((1 if '::' in base else 1 + depth((path.parent / base)) for base in bases(path)), default=0)


def check_options(registry, cfg):
    """The type is there and takes what the config gives it."""
    kind = registry.get(cfg.type)
    assert kind, cfg.type
    assert set(cfg) - {'type', '_scope_'} <= arguments(kind), cfg


def test_there_are_configs():
    assert len(VID) == 10 and len(DIGITS) == 4
    assert len(LINKED) == 12 and len(MMTRACK) == 24
    assert len(MIXED_VID) == len(MIXED_DIGITS) == 6 and len(MEGA) == 6 and len(DAVIS) == 5
    assert len(COMPARED) == 2
    assert len(OURS) == sum(map(len, (VID, DIGITS, LINKED, MEGA, MIXED_VID, MIXED_DIGITS, DAVIS, COMPARED)))
    assert len(RDN) + len(MEGA) == len(OURS) - 1  # SELSA with a part of RDN


@every_config
def test_name_says_batch_and_schedule(path):
    """{model}_{detector}_{backbone}_{gpus x batch-schedule}_{dataset}.py"""
    parts = path.stem.split('_')
    assert len(parts) == 5, path.stem
    assert all(re.fullmatch(r'[a-z0-9]+([.-][a-z0-9]+)*', p) for p in parts)
    batch, length, unit = re.fullmatch(r'\d+xb(\d+)-(\d+)([ke]?)', parts[3]).groups()
    cfg = load(path)
    assert cfg.train_dataloader.batch_size == int(batch)
    if unit == 'e':
        assert cfg.train_cfg.max_epochs == int(length)
    else:
        assert cfg.train_cfg.max_iters == int(length) * (1000 if unit else 1)
    assert ('movingdigits' in parts[4]) == ('data/moving_digits/' in cfg.text)


@every_config
def test_inherits_at_most_twice(path):
    """Box linking, parts of others, another backbone, another repository's conventions add one."""
    assert depth(path) <= 2 + (path.stem in [*LINKED, *MIXED, *MEGA, *DAVIS])


def check_schedule(cfg, max_iters):
    """Build the schedulers as a runner does, and check them as a training does."""
    train_cfg = cfg.train_cfg
    by_iter = train_cfg.get('type') == 'IterBasedTrainLoop'
    loop = object.__new__(IterBasedTrainLoop if by_iter else EpochBasedTrainLoop)
    runner = SimpleNamespace(max_iters=max_iters, max_epochs=train_cfg.get('max_epochs', 1), train_loop=loop)
    optimizer = torch.optim.SGD([torch.ones(1)], 0.1)
    settings = []
    for i, scheduler in enumerate(cfg.param_scheduler):
        ends = runner.max_epochs if scheduler.get('by_epoch', True) else max_iters
        built = PARAM_SCHEDULERS.build(dict(dict(end=ends), **scheduler), default_args=dict(optimizer=optimizer))
        settings.append((f'param_scheduler.{i}', type(built), built.state_dict()))
    check_schedulers_fit(settings, runner)


@every_config
def test_schedules_fit_the_training(path):
    cfg = load(path)
    check_schedule(cfg, cfg.train_cfg.get('max_iters', 10**6))


@pytest.mark.parametrize('stem', ['single-frame_faster-rcnn_r18_1xb4-1500_movingdigits'])
def test_moving_digits_train_for_any_length(stem):
    """``train_cfg.max_iters`` alone says it."""
    for max_iters in (1, 2, 3, 4, 5, 10, 600, 4000):
        check_schedule(load(RDN[stem]), max_iters)


@every_config
def test_everything_at_the_top_is_read(path):
    assert unread_keys(load(path)) == []


@with_every_model('path', [(path.stem, path) for path in FILES])
def test_model_builds(path):
    cfg = load(path)
    model = build(path)
    assert type(model) is MODELS.get(cfg.model.type)
    assert {p.device.type for p in model.parameters()} == {'meta'}


@every_config
def test_components_resolve(path):
    cfg = load(path)
    init_default_scope(cfg.default_scope)
    for item in datasets(cfg):
        # Builds the pipeline too, so that a misspelt option is found here.
        dataset = DATASETS.build(dict(item, lazy_init=True))
        assert dataset.metainfo['classes']
        for transform in item.pipeline:
            assert TRANSFORMS.get(transform.type), transform.type
    for name in ('train', 'val', 'test'):
        sampler = cfg[f'{name}_dataloader'].sampler
        check_options(DATA_SAMPLERS, sampler)
    for name in ('val_evaluator', 'test_evaluator'):
        assert METRICS.build(dict(cfg[name], ann_file=None))
    for hook in [*cfg.default_hooks.values(), *cfg.get('custom_hooks', [])]:
        check_options(HOOKS, hook)
    for scheduler in cfg.param_scheduler:
        assert PARAM_SCHEDULERS.get(scheduler.type)
    assert OPTIMIZERS.get(cfg.optim_wrapper.optimizer.type)
    assert OPTIM_WRAPPERS.get(cfg.optim_wrapper.type)
    assert VISUALIZERS.get(cfg.visualizer.type)
    for loop in (cfg.val_cfg, cfg.test_cfg):
        assert LOOPS.get(loop.type)


@every_config
def test_ground_truth_of_the_metric_is_that_of_the_data(path):
    cfg = load(path)
    for name in ('val', 'test'):
        dataset = cfg[f'{name}_dataloader'].dataset
        assert cfg[f'{name}_evaluator'].ann_file == dataset.data_root + dataset.ann_file
        assert cfg[f'{name}_dataloader'].sampler.type == 'VideoSampler'
        assert dataset.test_mode


# Metafiles.


def test_every_metafile_is_imported():
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    assert sorted(ROOT / path for path in index['Import']) == list(METAFILES)


def test_every_config_is_in_a_metafile():
    assert sorted(model['Config'] for _, model in ZOO) == [path.relative_to(ROOT).as_posix() for path in FILES]


@every_entry
def test_model_of_metafile(metafile, model):
    config = ROOT / model['Config']
    assert config.is_file() and config.parent == metafile.parent
    assert model['Name'] == config.stem
    cfg, metadata = load(config), model['Metadata']
    length = dict(Iterations='max_iters', Epochs='max_epochs')
    ((unit, name),) = ((u, n) for u, n in length.items() if u in metadata)
    assert metadata[unit] == cfg.train_cfg[name]
    gpus = int(re.search(r'_(\d+)xb\d', config.stem).group(1))
    assert metadata['Batch Size'] == gpus * cfg.train_dataloader.batch_size
    collection = {c['Name']: c for c in METAFILES[metafile]['Collections']}[model['In Collection']]
    assert (ROOT / collection['README']).is_file()
    for result in model.get('Results', []):  # measured ones only
        assert result['Task'] and result['Dataset']
        assert all(isinstance(value, (int, float)) for value in result['Metrics'].values())


@with_every_model('model', [(model['Name'], model) for _, model in ZOO])
def test_parameters_of_metafile(model):
    built = build(ROOT / model['Config'])
    assert model['Metadata']['Parameters'] == sum(p.numel() for p in built.parameters())


def test_model_index_follows_the_schema(monkeypatch):
    monkeypatch.chdir(ROOT)
    index = load_model_index('model-index.yml')
    index.build_models_with_collections()
    for error in index.check(silent=True):  # all that is in it
        # Paths are seen from the root, as everywhere in OpenMMLab; the checker sees them from the
        # metafile.
        readme = re.search(r'Path to README file (\S+) is not', error)
        assert readme and (ROOT / readme.group(1)).is_file(), error
    assert sorted(model.name for model in index.models) == sorted(model['Name'] for _, model in ZOO)
    for model in index.models:
        assert model.full_model.paper['URL']
