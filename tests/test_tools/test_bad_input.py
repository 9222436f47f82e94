# Copyright (c) mmrdn contributors. All rights reserved.
"""Bad input gets one line that names the file or field, nothing else."""

import fcntl
import json
import shutil

import pytest

from helpers.tools import run_tool, write_config


@pytest.fixture
def assert_refused(run_main, tmp_path):
    """Run a tool; it must stop with one line that holds the message."""

    def call(message, tool, *args):
        status, _, err = run_main(tool, *args)
        lines = [line for line in err.splitlines() if not line.startswith('warning: ')]
        assert status == 1
        assert len(lines) == 1 and lines[0].startswith('error: '), err
        assert message in lines[0]
        assert len(lines[0]) < 400
        assert not list(tmp_path.rglob('*.pth'))
        return lines[0]

    return call


@pytest.fixture
def broken_digits(digits, tmp_path):
    """A copy of the data, and the options that make a config read it."""
    folder = tmp_path / 'broken'
    shutil.copytree(digits, folder)
    options = [f'train_dataloader.dataset.data_root={folder}/']
    return folder, options


# --------------------------------------------------------------------- config


def test_missing_config_in_a_process_of_its_own():
    """Nothing on stderr but that line: no trace, no warning."""
    done = run_tool('train.py', 'nowhere/rdn.py', status=1)
    assert done.stderr == 'error: config nowhere/rdn.py does not exist, and no config of the package has that name\n'
    assert done.stdout == ''


@pytest.mark.parametrize(
    'text, message',
    [
        ('model = dict(\ntype=RDN,,\n)', 'line 2: invalid syntax'),
        ('model = dict(type=RDN)', "NameError: name 'RDN' is not defined"),
        ('model = 1 / 0', 'ZeroDivisionError: division by zero'),
        ("_base_ = './none.py'", 'none.py'),
        ("_base_ = 'nopackage::vid/rdn.py'", 'does not support to load nopackage'),
        ("work_dir = 'x'", 'has no "model"'),
        ("model = dict(type='RDN')", 'has no "train_cfg"'),
    ],
)
def test_bad_config(text, message, assert_refused, tmp_path):
    config = tmp_path / 'bad.py'
    config.write_text(text)
    line = assert_refused(message, 'train.py', config, '--work-dir', tmp_path / 'work')
    assert str(config) in line
    assert not (tmp_path / 'work').exists()


@pytest.mark.parametrize(
    'option, message',
    [
        ('model.nonsense=1', 'RDN'),
        ('model.neck.nonsense=1', 'RelationAggregator'),
        ('model.support_sampler.nonsense=1', 'SelectiveSupportSampler'),
        ('train_dataloader.dataset.nonsense=1', 'Dataset'),
        ('val_evaluator.nonsense=1', 'VIDMetric'),
    ],
)
def test_unknown_key_of_a_component(option, message, assert_refused, tiny_config, tmp_path):
    line = assert_refused("'nonsense'", 'train.py', tiny_config, '--work-dir', tmp_path, '--cfg-options', option)
    assert message in line


@pytest.mark.parametrize(
    'option, message',
    [
        ('model.type=RDM', 'RDM is not in the'),
        ('model.temporal_range=-1', 'temporal_range must be an integer number of frames, 0 or more'),
        ('model.support_sampler.num_support=0', 'num_support'),
        ('model.support_sampler.advanced_ratio=2', 'advanced_ratio'),
        ('optim_wrapper.type=AmpOptimWrapper', 'only available training on gpu'),
    ],
)
def test_wrong_value(option, message, assert_refused, tiny_config, tmp_path):
    assert_refused(message, 'train.py', tiny_config, '--work-dir', tmp_path, '--cfg-options', option)


def test_a_key_that_nothing_reads(run_main, digits, tmp_path):
    """As mmtrack's "amp" configs have it; helper variables are fine."""
    config = write_config(tmp_path / 'half.py', digits, 'fp16 = dict(loss_scale=512.)\n')
    status, out, err = run_main('misc/print_config.py', config)
    assert status == 0
    assert err == f'warning: config {config}: nothing reads "fp16" at its top\n'
    assert 'ann_file = ' in out and 'nms = ' in out  # helper variables


def test_amp_of_another_optim_wrapper(assert_refused, tiny_config, tmp_path):
    assert_refused(
        '--amp needs optim_wrapper.type="OptimWrapper"',
        'train.py',
        tiny_config,
        '--amp',
        '--work-dir',
        tmp_path,
        '--cfg-options',
        'optim_wrapper.type=ApexOptimWrapper',
    )


def test_auto_scale_lr_without_a_batch_size(assert_refused, tiny_config, tmp_path):
    assert_refused('auto_scale_lr.base_batch_size', 'train.py', tiny_config, '--auto-scale-lr', '--work-dir', tmp_path)


# ----------------------------------------------------------------------- data


@pytest.mark.parametrize(
    'content, workers, message',
    [
        (None, 0, 'does not exist'),
        (b'', 0, 'is empty'),
        (0.5, 0, 'is truncated'),
        (0.5, 1, 'is truncated'),
        (b'no picture', 0, 'cannot be decoded'),
    ],
)
def test_bad_image(content, workers, message, assert_refused, broken_digits, tiny_config, tmp_path):
    """Also where a worker process meets it."""
    folder, options = broken_digits
    for image in (folder / 'Data' / 'VID' / 'train').rglob('*.JPEG'):
        data = image.read_bytes()
        if content is None:
            image.unlink()
        elif isinstance(content, float):
            image.write_bytes(data[: int(content * len(data))])
        else:
            image.write_bytes(content)
    line = assert_refused(
        message,
        'train.py',
        tiny_config,
        '--work-dir',
        tmp_path / 'work',
        '--cfg-options',
        f'train_dataloader.num_workers={workers}',
        *options,
    )
    assert line.startswith(f'error: image {folder}/Data/VID/train/')
    assert '.JPEG ' in line


@pytest.mark.parametrize(
    'content, message',
    [
        (None, 'does not exist'),
        ('', 'truncated or broken JSON'),
        (0.5, 'truncated or broken JSON'),
        ('[]', 'expected a JSON object, got list'),
        ('{"images": [], "annotations": [], "categories": [], "videos": []}', 'zero'),
    ],
)
@pytest.mark.parametrize('split', ['train', 'val'])
def test_bad_annotations(content, message, split, assert_refused, broken_digits, tiny_config, tmp_path):
    folder, options = broken_digits
    path = folder / 'annotations' / f'moving_digits_{split}.json'
    text = path.read_text()
    if content is None:
        path.unlink()
    else:
        path.write_text(text[: len(text) // 2] if content == 0.5 else content)
    if split == 'val':
        options = [f'val_evaluator.ann_file={path}']
    line = assert_refused(message, 'train.py', tiny_config, '--work-dir', tmp_path / 'work', '--cfg-options', *options)
    assert str(path) in line


def test_unknown_class(assert_refused, tiny_config, tmp_path):
    line = assert_refused(
        'yak',
        'train.py',
        tiny_config,
        '--work-dir',
        tmp_path,
        '--cfg-options',
        "train_dataloader.dataset.metainfo.classes=['one','yak']",
    )
    assert 'moving_digits_train.json' in line


def test_empty_data_set(assert_refused, broken_digits, tiny_config, tmp_path):
    """Classes and videos, but nothing to look for in them."""
    folder, options = broken_digits
    path = folder / 'annotations' / 'moving_digits_train.json'
    path.write_text(json.dumps(dict(json.loads(path.read_text()), annotations=[])))
    assert_refused(
        f'{path}: no image of its 18 is left for training',
        'train.py',
        tiny_config,
        '--work-dir',
        tmp_path / 'work',
        '--cfg-options',
        *options,
    )


def test_nan_loss(assert_refused, tiny_config, tmp_path):
    """Found before it is saved, in the losses or in the proposals."""
    assert_refused(
        'became NaN or infinite',
        'train.py',
        tiny_config,
        '--work-dir',
        tmp_path,
        '--cfg-options',
        'optim_wrapper.optimizer.lr=1e30',
        'param_scheduler=None',
        'train_cfg.max_iters=3',
        'default_hooks.checkpoint.interval=3',
    )
    assert not list(tmp_path.glob('*.pth'))


# ------------------------------------------------------------------- work_dir


def test_work_dir_in_use(assert_refused, tiny_config, tmp_path):
    with open(tmp_path / '.lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert_refused(f'work_dir {tmp_path} is in use', 'train.py', tiny_config, '--work-dir', tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ['.lock']


def test_work_dir_with_checkpoints(run_main, tiny_config, tmp_path):
    (tmp_path / 'iter_4.pth').write_text('precious')
    status, _, err = run_main('train.py', tiny_config, '--work-dir', tmp_path)
    assert status == 1
    assert err == (
        f'error: work_dir {tmp_path} holds checkpoints already; continue '
        'with --resume, choose another --work-dir or remove '
        'them\n'
    )
    assert (tmp_path / 'iter_4.pth').read_text() == 'precious'


def test_work_dir_is_a_file(assert_refused, tiny_config, tmp_path):
    (tmp_path / 'work').write_text('precious')
    assert_refused('is a file, expected a directory', 'train.py', tiny_config, '--work-dir', tmp_path / 'work')
    assert (tmp_path / 'work').read_text() == 'precious'
