# Copyright (c) mmrdn contributors. All rights reserved.
import subprocess
import sys
import time

import mmtrack.registry
import pytest
from mmdet.registry import MODELS as MMDET_MODELS
from mmengine.registry import DefaultScope
from mmtrack.registry import MODELS as MMTRACK_MODELS

import mmrdn.registry
from mmrdn.models import RelationAggregator
from mmrdn.registry import MODELS
from mmrdn.setup_env import register_all_modules

NODES = [name for name in dir(mmtrack.registry) if name.isupper() and not name.startswith('MMENGINE')]


@pytest.mark.parametrize('name', NODES)
def test_every_node_is_a_child_of_mmtracks(name):
    node = getattr(mmrdn.registry, name)
    assert node.parent is getattr(mmtrack.registry, name)
    assert node.scope == 'mmrdn'


@pytest.mark.parametrize('key', ['RDN', 'mmrdn.RDN', 'SELSA', 'mmtrack.SELSA'])
def test_names_of_mmrdn_and_mmtrack_need_no_prefix(key):
    register_all_modules(init_default_scope=False)
    assert MODELS.get(key).__name__ == key.split('.')[-1]


def test_mmdet_needs_its_prefix():
    assert MODELS.get('mmdet.FasterRCNN').__name__ == 'FasterRCNN'


@pytest.mark.parametrize('node', [MMTRACK_MODELS, MMDET_MODELS])
def test_found_by_prefix_from_elsewhere(node):
    assert node.get('mmrdn.RelationAggregator') is RelationAggregator


@pytest.mark.parametrize('scope', ['mmrdn', 'mmtrack', 'mmdet'])
def test_builds_inside_any_scope(scope):
    with DefaultScope.overwrite_default_scope(scope):
        aggregator = MODELS.build(dict(type='mmrdn.RelationAggregator', in_channels=8, num_heads=2))
    assert isinstance(aggregator, RelationAggregator)


@pytest.mark.slow
def test_visualizers_of_mmtrack_resolve_in_a_fresh_process():
    """Nothing registers modules by hand before a runner is built."""
    code = (
        'import mmrdn.registry as r\n'
        "for name in ('TrackLocalVisualizer', 'DetLocalVisualizer', 'VIDVisualizer'):\n"
        '    assert r.VISUALIZERS.get(name).__name__ == name\n'
    )
    subprocess.run([sys.executable, '-c', code], check=True)


def test_the_default_scope_is_ours_again_after_another():
    register_all_modules()
    DefaultScope.get_instance(f'of mmtrack {time.time()}', scope_name='mmtrack')
    register_all_modules()
    assert DefaultScope.get_current_instance().scope_name == 'mmrdn'
    built = MODELS.build(dict(type='RelationAggregator', in_channels=8, num_heads=2))
    assert isinstance(built, RelationAggregator)
