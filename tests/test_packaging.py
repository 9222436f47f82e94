# Copyright (c) mmrdn contributors. All rights reserved.
"""The wheel, the editable install, and what `mim` finds in both."""

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOT_COPIED = (
    '.git',
    '.venv*',
    'work_dirs',
    'data',
    'build',
    'dist',
    '__pycache__',
    '*.pyc',
    '.hypothesis',
    '.pytest_cache',
    'docs',
    'tests',
)
CONFIG = 'configs/rdn/rdn_faster-rcnn_r18_1xb4-1500_movingdigits.py'

# Prints what mim finds and the commands that it would run.
ASK_MIM = """
import json, subprocess, sys
from unittest import mock
from mim.commands.list import list_package
from mim.commands.run import run
from mim.commands.search import get_model_info
from mim.commands.test import test
from mim.commands.train import train

def record(command, **kwargs):
    commands.append(command)
    return 0

config, commands = sys.argv[1], []
with mock.patch.object(subprocess, 'check_call', record), \\
        mock.patch.object(subprocess, 'check_output', return_value=b''):
    train('mmrdn', config, gpus=0, other_args=('--work-dir', 'x'))
    test('mmrdn', config, checkpoint='y.pth', launcher='none')
    train('mmrdn', config, gpus=2, launcher='pytorch', port=29500)
    run('mmrdn', 'demo_video', other_args=('x.mp4', config))
packages = [name for name, _ in list_package()]
models = get_model_info('mmrdn', to_dict=True)
print('ANSWER', json.dumps([packages, models, commands]))
"""


def run(*command, **kwargs):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, **kwargs)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def ask_mim(target, cwd):
    """Answers of mim where `target` is the first place to look."""
    out = run(sys.executable, '-c', ASK_MIM, Path(CONFIG).name, cwd=cwd, env=os.environ | {'PYTHONPATH': str(target)})
    return json.loads(re.search('ANSWER (.*)', out).group(1))


@pytest.fixture(scope='module')
def tree(tmp_path_factory):
    """A copy of the checkout."""
    target = tmp_path_factory.mktemp('tree') / 'mmrdn'
    shutil.copytree(ROOT, target, ignore=shutil.ignore_patterns(*NOT_COPIED))
    return target


@pytest.fixture(scope='module')
def wheel(tree, tmp_path_factory):
    out = tmp_path_factory.mktemp('wheel')
    before = {path for path in tree.rglob('*')}
    run(sys.executable, '-m', 'build', '--wheel', '--no-isolation', '--outdir', out, tree)
    after = {path for path in tree.rglob('*') if '__pycache__' not in path.parts}
    assert after <= before, 'the build left files in the tree'
    return next(out.glob('mmrdn-*.whl'))


def build_runtime(tree, out):
    """Build the wheel of mmrdn-runtime; return the names of its files, without those about the package."""
    run(sys.executable, '-m', 'build', '--wheel', '--no-isolation', '--outdir', out, tree / 'runtime')
    with zipfile.ZipFile(next(out.glob('mmrdn_runtime-*.whl'))) as archive:
        return {name for name in archive.namelist() if '.dist-info/' not in name}


def test_wheel_of_the_runtime(tree, tmp_path):
    """It holds the modules that there are, not those of an earlier build."""
    old = tree / 'mmrdn' / 'video' / 'old.py'
    rooms = 'fileio inference post_processing structures utils video video/sources video/writers visualization'.split()
    modules = {path for room in rooms for path in (tree / 'mmrdn' / room).glob('*.py')}
    expected = {path.relative_to(tree).as_posix() for path in modules}
    expected |= {f'mmrdn_runtime/{path.name}' for path in (tree / 'runtime' / 'mmrdn_runtime').glob('*.py')}
    expected |= {f'mmrdn/visualization/fonts/{name}' for name in ('DejaVuSans.ttf', 'LICENSE_DEJAVU')}
    before = {path for path in tree.rglob('*') if '__pycache__' not in path.parts}
    old.write_text('')
    assert build_runtime(tree, tmp_path / 'first') == expected | {'mmrdn/video/old.py'}
    old.unlink()
    assert build_runtime(tree, tmp_path / 'second') == expected
    assert {path for path in tree.rglob('*') if '__pycache__' not in path.parts} == before


def mim_files(tree, *more):
    files = [tree / 'model-index.yml']
    for folder in ('configs', 'tools', *more):
        files += [path for path in (tree / folder).rglob('*')]
    return {
        path.relative_to(tree).as_posix(): path.read_bytes()
        for path in files
        if path.is_file() and '__pycache__' not in path.parts and not path.parent.name.endswith('_onnx')
    }


def test_wheel_carries_configs_tools_and_index(wheel, tree):
    expected, published = mim_files(tree), mim_files(tree, 'demo')
    assert {'model-index.yml', 'tools/train.py', CONFIG} <= set(expected)
    assert {Path(name).suffix for name in set(published) - set(expected)} == {'.pth', '.mp4'}
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        info = next(n for n in names if n.endswith('/METADATA')).split('/')[0]
        for prefix, wanted in (('mmrdn/.mim/', published), (f'{info}/.mim/', expected)):
            packed = {name.removeprefix(prefix): archive.read(name) for name in names if name.startswith(prefix)}
            assert packed == wanted
        modules = {path.relative_to(tree).as_posix() for path in (tree / 'mmrdn').rglob('*.py')}
        page = {path.relative_to(tree).as_posix() for path in (tree / 'mmrdn' / 'web' / 'web_page').rglob('*.*')}
        page.add('mmrdn/own_videos/report.html')
        fonts = {f'mmrdn/visualization/fonts/{name}' for name in ('DejaVuSans.ttf', 'LICENSE_DEJAVU')}
        assert len(page) == 5 and modules | page | fonts <= set(names)
        metadata = archive.read(f'{info}/METADATA').decode()
    top_level = {name.split('/')[0] for name in names}
    assert top_level == {'mmrdn', info}
    assert 'Requires-Python: >=3.10' in metadata
    assert re.search('License(-Expression)?: Apache-2.0', metadata)
    assert 'Requires-Dist: torch>=2.4' in metadata


@pytest.mark.parametrize('kind', ['wheel', 'editable'])
def test_mim_finds_all(kind, wheel, tree, tmp_path):
    source = ['-e', tree] if kind == 'editable' else [wheel]
    run(
        sys.executable,
        '-m',
        'pip',
        'install',
        '-q',
        '--no-deps',
        '--no-build-isolation',
        '--target',
        tmp_path / 'site',
        *source,
    )
    info = next((tmp_path / 'site').glob('mmrdn-*.dist-info'))
    root = tree if kind == 'editable' else info / '.mim'
    if kind == 'editable':
        # A finder would come after the checkout, which in the directory above it looks like a package without __init__.
        (pth,) = (tmp_path / 'site').glob('*.pth')
        assert pth.read_text().strip() == str(tree)

    packages, models, commands = ask_mim(tmp_path / 'site', tmp_path)

    assert 'mmrdn' in packages
    model = models['rdn_faster-rcnn_r101-dc5_4xb1-60k_imagenetvid']
    assert model['model'] == 'rdn'
    train, test, distributed, video = commands
    python, config = sys.executable, str(root / CONFIG)
    train_tool = str(root / 'tools' / 'train.py')
    assert train == [python, train_tool, config, '--launcher', 'none', '--work-dir', 'x']
    assert test == [python, str(root / 'tools' / 'test.py'), config, 'y.pth', '--launcher', 'none']
    assert distributed == [
        python,
        '-m',
        'torch.distributed.launch',
        '--nproc_per_node=2',
        '--master_port=29500',
        train_tool,
        config,
        '--launcher',
        'pytorch',
    ]
    assert video == [python, str(root / 'tools' / 'demo_video.py'), 'x.mp4', Path(CONFIG).name]
    assert not (tree / 'mmrdn.egg-info').exists()
    assert not (tree / 'mmrdn' / '.mim').exists()


def test_versions_agree(wheel):
    version = runpy.run_path(ROOT / 'mmrdn' / 'version.py')['__version__']
    assert wheel.name == f'mmrdn-{version}-py3-none-any.whl'
    assert f'\nversion: {version}\n' in (ROOT / 'CITATION.cff').read_text()
    assert f'\n## {version}' in (ROOT / 'CHANGELOG.md').read_text()
