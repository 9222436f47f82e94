# Copyright (c) mmrdn contributors. All rights reserved.
"""Configs with box linking are others plus the linking."""
import pytest
from config_testing import LINKED, OTHERS, RDN, load, without_downloads
from mmengine.hub import get_config
from mmengine.registry import DefaultScope, init_default_scope

from mmrdn import post_processing
from mmrdn.registry import METRICS, MODELS
from mmrdn.utils.setup_env import register_all_modules

LINKERS = dict(
    blr=post_processing.BoxLinkingWithRelations,
    seqnms=post_processing.SeqNMS,
    tubes=post_processing.TubeLinking)


@pytest.fixture(autouse=True)
def scope():
    """The default scope afterwards is what it was."""
    register_all_modules(init_default_scope=False)
    before = DefaultScope.get_current_instance()
    yield
    if before is not None:
        init_default_scope(before.scope_name)


def build_linker(cfg, name):
    """The linker of an evaluator as the runner builds it."""
    init_default_scope(cfg.default_scope)
    return type(METRICS.build(dict(cfg[name], ann_file=None)).linker)


@pytest.mark.parametrize('stem', LINKED)
def test_linked_rdn_is_its_parent_with_a_linker(stem):
    prefix = stem.split('_')[0].split('-')[1]
    cfg = load(RDN[stem])
    parent = load(RDN[stem.replace(f'rdn-{prefix}_', 'rdn_')])
    for name in ('val_evaluator', 'test_evaluator'):
        assert build_linker(cfg, name) is LINKERS[prefix]
        del cfg[name]['linker']
    recorders = cfg.model.pop('recorders', [])
    assert recorders == ([dict(
        type='NextFrameRelations')] if prefix == 'blr' else [])
    assert cfg.to_dict() == parent.to_dict()


def without_scopes(node):
    """MMEngine marks what another package's config holds."""
    if isinstance(node, dict):
        return {
            key: without_scopes(value)
            for key, value in node.items()
            if not (key == '_scope_' and value == 'mmtrack')
        }
    if isinstance(node, (list, tuple)):
        return [without_scopes(value) for value in node]
    return node


@pytest.mark.parametrize('path', OTHERS, ids=lambda path: path.stem)
def test_other_detectors_are_mmtracks_with_our_metric(path):
    kind, prefix = path.stem.split('_')[0].split('-')
    cfg = load(path)
    name = path.name.replace(f'{kind}-{prefix}_', f'{kind}_')
    parent = get_config(f'mmtrack::vid/{kind}/{name}')
    for name in ('val_evaluator', 'test_evaluator'):
        assert build_linker(cfg, name) is LINKERS[prefix]
        assert cfg[name].ann_file == parent[name].ann_file
        cfg.pop(name), parent.pop(name)
    cfg.pop('custom_imports')
    without_downloads(cfg.model)
    without_downloads(parent.model)
    assert without_scopes(cfg.to_dict()) == without_scopes(parent.to_dict())
    assert MODELS.get(f'mmtrack.{cfg.model.type}')
