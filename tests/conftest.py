# Copyright (c) mmrdn contributors. All rights reserved.
import fcntl
import logging
import os
import runpy
import shutil
import sys

import pytest

# Threads that wait must not burn the cores that other tests need.
os.environ.setdefault('OMP_WAIT_POLICY', 'passive')

import mmrdn  # noqa: E402, F401  (makes mmtrack importable)

# What starts commands or a browser, and fixtures that train: marked slow here, single tests where
# they stand.
SLOW_PATHS = (
    'tests/fuzz/',
    'tests/test_tools/',
    'tests/test_web/test_web_page.py',
    'tests/test_benchmarks/test_compare_memory.py',
    'tests/test_models/test_memory/test_relation_memory.py::test_no_drift_over_500_frames_in_fp32',
    'tests/test_mim_zoo.py',
    'tests/test_packaging.py',
)
SLOW_FIXTURES = {'trained'}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark slow tests before `-m` looks at the marks; begin with files of slow ones, so that none is left alone."""
    for item in items:
        if item.nodeid.startswith(SLOW_PATHS) or SLOW_FIXTURES & set(item.fixturenames):
            item.add_marker('slow')
    items.sort(key=lambda item: not item.nodeid.startswith(SLOW_PATHS))


def pytest_ignore_collect(collection_path, config):
    """Do not import slow files to leave all their tests out."""
    path = f'{collection_path.relative_to(config.rootpath).as_posix()}/'
    return True if config.option.markexpr == 'not slow' and path.startswith(SLOW_PATHS) else None


def pytest_runtest_setup(item):
    """Skip tests that need a GPU where there is none."""
    import torch

    if item.get_closest_marker('gpu') and not torch.cuda.is_available():
        pytest.skip('no GPU')


@pytest.fixture(scope='session')
def made_once(tmp_path_factory):
    """Make a directory once for all workers of pytest-xdist: its path by name."""
    root = tmp_path_factory.getbasetemp()
    if 'PYTEST_XDIST_WORKER' in os.environ:
        root = root.parent

    def call(name, make):
        path, finished = root / name, root / f'{name}.finished'
        with open(root / f'{name}.lock', 'w') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not finished.exists():
                shutil.rmtree(path, ignore_errors=True)
                make(path)
                finished.touch()
        return path

    return call


@pytest.fixture(scope='session')
def digits(made_once):
    """A moving digits data set of ten short videos."""
    from helpers.tools import make_data

    return made_once('digits', lambda path: make_data(path / 'data')) / 'data'


@pytest.fixture(scope='session')
def tiny_config(digits, tmp_path_factory):
    """A config that trains a tiny RDN on it for 8 iterations."""
    from helpers.tools import write_config

    return write_config(tmp_path_factory.mktemp('config') / 'tiny.py', digits)


@pytest.fixture(scope='session')
def trained(tiny_config, made_once):
    """The work directory of ``tools/train.py`` with that config."""
    from helpers.tools import call_tool

    return made_once('trained', lambda path: call_tool('train.py', tiny_config, '--work-dir', path))


@pytest.fixture
def run_main(monkeypatch, capsys):
    """Run a tool in this process: exit status, stdout and stderr."""
    from helpers.tools import ROOT, run_alone

    def call(tool, *args):
        path = str(ROOT / 'tools' / tool)
        monkeypatch.setattr(sys, 'argv', [path, *map(str, args)])
        status = 0
        with run_alone():
            try:
                runpy.run_path(path, run_name='__main__')
            except SystemExit as exit_:
                status = exit_.code
        return (status, *capsys.readouterr())

    return call


@pytest.fixture
def logged():
    """Lines that MMEngine's current logger gets, each after its level."""
    from mmengine.logging import MMLogger

    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(f'{record.levelname}: {record.getMessage()}')
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    yield lines
    logger.removeHandler(handler)


@pytest.fixture
def clip(tmp_path):
    """A video of 8 frames, not at a constant rate, and the times of its frames."""
    from helpers.videos import noise, write_mp4

    times = [0, 0.1, 0.2, 0.5, 0.6, 0.7, 0.8, 1.5]
    return write_mp4(tmp_path / 'clip.mp4', noise(8), times), times


@pytest.fixture(scope='session')
def exported(tmp_path_factory):
    """A tiny detector with T = 2, and the directory that it was exported to."""
    from helpers.exported import export_tiny, need_onnx

    need_onnx()
    out = tmp_path_factory.mktemp('exported') / 'model'
    return export_tiny(out, sizes=['48x64', '50x90']), out
