# Copyright (c) mmrdn contributors. All rights reserved.
"""What is imported when: no more than a command needs, and never OpenMMLab without what makes it safe."""

import os
import subprocess
import sys

import pytest
import torch

from helpers.tools import ROOT, tool_env
from mmrdn.compat import TESTED_VERSIONS

HEAVY = ('torch', 'mmcls', *TESTED_VERSIONS)
# Rooms whose work needs none of them.
LIGHT = """
import sys
import mmrdn
import mmrdn.datasets.converters.conversion, mmrdn.datasets.converters.export
import mmrdn.datasets.moving_digits, mmrdn.evaluation.functional
import mmrdn.comparison.training_log, mmrdn.inference.video_outputs
import mmrdn.own_videos.checking, mmrdn.own_videos.config_suggestion
import mmrdn.post_processing, mmrdn.structures, mmrdn.video, mmrdn.visualization
from mmrdn.evaluation import flicker, motion_iou, vid_map
"""
HELP = """
import contextlib, io, runpy, sys
for path in sys.argv[1:]:
    sys.argv, out = [path, '--help'], io.StringIO()
    sys.path[0] = path.rpartition('/')[0]  # as in a process of its own
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        runpy.run_path(path, run_name='__main__')
    assert out.getvalue().startswith('usage: '), path
"""
# What is registered by name, and what registers itself anywhere in the package.
REGISTERED = """
import importlib, pkgutil
import mmrdn
from mmengine.registry import Registry
from mmrdn import registry
from mmrdn.setup_env import register_all_modules

def names():
    nodes = {key: node for key, node in vars(registry).items() if isinstance(node, Registry)}
    return {(key, name) for key, node in nodes.items() for name in node.module_dict}

register_all_modules()
found = names()
for module in pkgutil.walk_packages(mmrdn.__path__, 'mmrdn.'):
    if not module.name.startswith('mmrdn.ops.'):  # some need a GPU
        importlib.import_module(module.name)
assert names() == found, names() - found
print(len(found))
"""
# Each order of imports in which OpenMMLab could come without its changes.
ORDERS = [
    'import mmrdn, mmengine.runner',
    'import mmengine.runner, mmrdn',
    'import mmrdn.fileio.whole_file_backend, mmrdn.fileio.checkpoint',
    'import mmtrack_after_mmrdn',
]
CHANGED = """
import sys
from mmengine.fileio import get_file_backend
from mmengine.runner import CheckpointLoader
from mmrdn.fileio.whole_file_backend import WholeFileBackend

assert type(get_file_backend('/tmp/x')) is WholeFileBackend
try:
    CheckpointLoader.load_checkpoint(sys.argv[1])
except ValueError as error:
    print(error)
"""


class Harmful:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def run_python(code, *args, **kwargs):
    return subprocess.run([sys.executable, '-c', code, *map(str, args)], capture_output=True, text=True, **kwargs)


def heavy_after(code, *args):
    """Names of the heavy packages that a script imports."""
    code += f'\nprint(*(name for name in {HEAVY} if name in sys.modules))'
    done = run_python(code, *args, env=tool_env())
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.slow
def test_rooms_without_a_model_import_neither_torch_nor_openmmlab():
    assert heavy_after(LIGHT) == []
    assert heavy_after('import sys, mmrdn.registry') == ['torch', 'mmcv', 'mmengine', 'mmdet', 'mmtrack']


@pytest.mark.slow
def test_help_of_every_command_needs_neither_torch_nor_openmmlab():
    tools = [path for path in sorted((ROOT / 'tools').rglob('*.py')) if 'argparse' in path.read_text()]
    assert len(tools) > 25
    assert heavy_after(HELP, *tools) == []


@pytest.mark.slow
def test_registries_know_where_everything_that_registers_itself_lies():
    done = run_python(REGISTERED, env=tool_env())
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.splitlines()[-1]) > 60


@pytest.mark.slow
@pytest.mark.parametrize('order', ORDERS)
def test_checkpoints_are_data_and_files_whole_in_any_order_of_imports(order, tmp_path):
    """As read by MMEngine itself, in a process of its own."""
    (tmp_path / 'mmtrack_after_mmrdn.py').write_text('import mmrdn, mmtrack.models\n')
    torch.save(dict(state_dict=dict(a=Harmful(str(tmp_path / 'harm')))), tmp_path / 'harmful.pth')
    env = tool_env()
    env['PYTHONPATH'] += os.pathsep + str(tmp_path)
    done = run_python(order + CHANGED, tmp_path / 'harmful.pth', env=env)
    assert done.returncode == 0, done.stderr
    assert 'would have to be unpickled' in done.stdout or 'only unpickling could read' in done.stdout
    assert not (tmp_path / 'harm').exists()
