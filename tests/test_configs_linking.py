# Copyright (c) mmrdn contributors. All rights reserved.
"""Configs with box linking are others plus the linking."""

import pytest
from mmengine.registry import DefaultScope, init_default_scope

from helpers.configs import LINKED, MMTRACK, RDN, load
from mmrdn import post_processing
from mmrdn.registry import METRICS
from mmrdn.setup_env import register_all_modules

LINKERS = dict(
    blr=post_processing.BoxLinkingWithRelations, seqnms=post_processing.SeqNMS, tubes=post_processing.TubeLinking
)


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
    assert recorders == ([dict(type='NextFrameRelations')] if prefix == 'blr' else [])
    assert cfg.to_dict() == parent.to_dict()


@pytest.mark.parametrize(
    'path', [p for p in MMTRACK if p.stem.split('_')[0].endswith(('-seqnms', '-tubes'))], ids=lambda path: path.stem
)
def test_linked_detectors_of_mmtrack(path):
    kind, prefix = path.stem.split('_')[0].split('-')
    cfg = load(path)
    parent = load(path.with_name(path.name.replace(f'{kind}-{prefix}_', f'{kind}_')))
    for name in ('val_evaluator', 'test_evaluator'):
        assert build_linker(cfg, name) is LINKERS[prefix]
        del cfg[name]['linker']
    assert cfg.to_dict() == parent.to_dict()
