# Copyright (c) mmrdn contributors. All rights reserved.
"""A detector of mmdet becomes the start of a training."""

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmrdn.fileio.checkpoint import load_checkpoint_file
from mmrdn.registry import MODELS
from mmrdn.setup_env import register_all_modules

TOOL = 'model_converters/detector_to_mmrdn.py'
CLASSES = ('cat', 'nine', 'zero', 'dog')
HEAD = 'detector.roi_head.bbox_head.'


@pytest.fixture(scope='module')
def source(tiny_config, tmp_path_factory):
    """The tiny detector as mmdet's, of other classes, after a training."""
    detector = Config.fromfile(tiny_config).model.detector
    detector.pop('_scope_')
    roi_head = detector.roi_head
    roi_head.type = 'StandardRoIHead'
    roi_head.bbox_head.update(type='ConvFCBBoxHead', num_shared_fcs=1, num_classes=len(CLASSES))
    detector.data_preprocessor = dict(
        type='DetDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True
    )
    register_all_modules(init_default_scope=False)
    torch.manual_seed(1)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(detector)
    path = tmp_path_factory.mktemp('source') / 'mmdet.pth'
    torch.save(
        dict(
            meta=dict(cfg=Config(dict(model=detector)).pretty_text, dataset_meta=dict(classes=CLASSES)),
            state_dict=model.state_dict(),
        ),
        path,
    )
    return path


@pytest.fixture(scope='module')
def source_state(source):
    return load_checkpoint_file(source)['state_dict']


def test_convert_and_train(source, source_state, tiny_config, run_main, tmp_path):
    out = tmp_path / 'start' / 'x.pth'
    status, text, err = run_main(TOOL, source, out, '--config', tiny_config)
    assert (status, err) == (0, '')
    lines = text.splitlines()
    n = len(source_state)
    key = 'roi_head.bbox_head.fc_cls'
    assert (f'changed 2, {key}.weight the first: 2 of its 4 classes, for 2 of 10 and background') in lines
    assert lines[-2] == f'{n} of {n} entries used, 0 dropped'
    # The rest is relation: 4 modules of 4 layers, one layer between two.
    relation = 4 * 4 * 2 + 2
    assert lines[-1] == (
        f'{out}: {n} of {n + relation} entries of the model; the others keep the initial values of the config'
    )
    state = torch.load(out, weights_only=True)['state_dict']
    given = source_state[f'{key}.weight']
    rows = state[f'{HEAD}fc_cls.weight']
    for row, place in ((0, 2), (9, 1), (10, 4)):  # zero, nine, background
        assert torch.equal(rows[row], given[place])

    work_dir = tmp_path / 'work'
    status, text, err = run_main(
        'train.py',
        tiny_config,
        '--work-dir',
        work_dir,
        '--cfg-options',
        f'load_from={out}',
        'param_scheduler=None',
        'train_cfg.max_iters=1',
        'optim_wrapper.optimizer.lr=0',
        'optim_wrapper.optimizer.weight_decay=0',
        f'experiment_name={tmp_path.name}',
    )
    assert status == 0, text + err
    trained = load_checkpoint_file(work_dir / 'iter_1.pth')['state_dict']
    for key, value in state.items():
        if 'running' not in key and 'tracked' not in key:
            assert torch.equal(trained[key], value), key


def test_a_detector_of_ours(trained, tiny_config, run_main, tmp_path):
    """Relation, in "neck", is not the neck of the detector."""
    out = tmp_path / 'start.pth'
    source = trained / 'iter_8.pth'
    status, text, err = run_main(TOOL, source, out, '--config', tiny_config)
    assert (status, err) == (0, '')
    given = load_checkpoint_file(source)['state_dict']
    state = torch.load(out, weights_only=True)['state_dict']
    detector = [key for key in given if key.startswith('detector.')]
    assert sorted(state) == sorted(detector) and len(detector) < len(given)
    for key in detector:
        assert torch.equal(state[key], given[key]), key
    dropped = [line.split(':')[0][len('dropped ') :] for line in text.splitlines() if line.startswith('dropped ')]
    assert sorted(dropped) == sorted(set(given) - set(detector))


def test_never_overwrites(source, tiny_config, run_main, tmp_path):
    out = tmp_path / 'x.pth'
    out.write_text('mine')
    assert run_main(TOOL, source, out, '--config', tiny_config) == (
        1,
        '',
        f'error: {out} exists; choose another name\n',
    )
    assert out.read_text() == 'mine'


def test_bad_input(source, tiny_config, run_main, tmp_path):
    out = tmp_path / 'x.pth'

    def error(*args):
        status, text, err = run_main(TOOL, *args)
        assert status == 1 and not text and not out.exists()
        return err

    missing = tmp_path / 'missing.pth'
    assert error(missing, out, '--config', tiny_config) == (f'error: checkpoint {missing} does not exist\n')
    assert error(source, out, '--config', missing) == (
        f'error: config {missing} does not exist, and no config of the package has that name\n'
    )
    other = tmp_path / 'other.py'
    for model, message in [
        (dict(type='FasterRCNN'), 'no "model.detector", expected a video detector'),
        (dict(type='RDN', detector=dict(backbone=dict(), roi_head=dict())), 'no "rpn_head" in its model'),
    ]:
        other.write_text(f'model = {model}\n')
        assert error(source, out, '--config', other) == (f'error: the config has {message}\n')
    silent = tmp_path / 'silent.pth'
    torch.save(load_checkpoint_file(source)['state_dict'], silent)
    assert error(silent, out, '--config', tiny_config) == (
        'error: silent.pth lacks a description of its detector (no "model"): name its config by --source-config\n'
    )


def test_what_the_checkpoint_does_not_say(source, source_state, tiny_config, run_main, tmp_path):
    """Config and classes from the command line; another seed."""
    silent, config = tmp_path / 'silent.pth', tmp_path / 'source.py'
    torch.save(source_state, silent)
    config.write_text(load_checkpoint_file(source)['meta']['cfg'])
    states = []
    for seed, classes in ((0, CLASSES), (1, CLASSES[::-1])):
        out = tmp_path / f'{seed}.pth'
        status, text, err = run_main(
            TOOL,
            silent,
            out,
            '--config',
            tiny_config,
            '--source-config',
            config,
            '--source-classes',
            *classes,
            '--seed',
            seed,
            '--all-keys',
        )
        assert (status, err) == (0, '')
        assert text.count('\nused ') == len(source_state) - 1
        states.append(load_checkpoint_file(out)['state_dict'])
    rows = [state[f'{HEAD}fc_cls.weight'] for state in states]
    given = source_state['roi_head.bbox_head.fc_cls.weight']
    assert torch.equal(rows[0][9], given[1])
    assert torch.equal(rows[1][9], given[2])
    assert torch.equal(rows[0][10], rows[1][10])
    assert not torch.equal(rows[0][5], rows[1][5])
