# Copyright (c) mmrdn contributors. All rights reserved.
"""What is not published, and why."""

from fractions import Fraction

import pytest
import torch

from helpers.tools import write_config
from mmrdn.fileio.checkpoint import load_checkpoint_file


def whole_with(trained, path, **changes):
    """Write the training's checkpoint with other entries."""
    whole = load_checkpoint_file(trained / 'iter_8.pth')
    torch.save(dict(whole, **changes), path)
    return whole


def spoil(kind, trained, path):
    """Write what cannot be published."""
    name = 'neck.basic.0.query_proj.weight'
    if kind == 'NaN':
        whole = load_checkpoint_file(trained / 'iter_8.pth')
        whole['state_dict'][name][1, 1] = float('nan')
        torch.save(whole, path)
    elif kind == 'truncated':
        data = (trained / 'iter_8.pth').read_bytes()
        path.write_bytes(data[: len(data) // 2])
    elif kind == 'foreign':
        torch.save(dict(model=dict(a=torch.ones(1))), path)
    elif kind == 'no tensor':
        whole_with(trained, path, state_dict=dict(a=[1.5]))
    elif kind == 'no config':
        whole_with(trained, path, meta=None)
    elif kind == 'no classes':
        whole_with(trained, path, meta=dict(cfg='a = 1\n'))
    elif kind == 'no Python':
        meta = dict(cfg='a =\n', dataset_meta=dict(classes=('b',)))
        whole_with(trained, path, meta=meta)
    elif kind == 'object':
        whole_with(trained, path, extra=Fraction(1, 2))


@pytest.mark.parametrize(
    'kind, message',
    [
        ('missing', 'checkpoint {path} does not exist'),
        ('NaN', '{path}: neck.basic.0.query_proj.weight of the checkpoint holds NaN or infinite numbers'),
        ('foreign', '{path}: the checkpoint holds no state_dict, weights by name'),
        ('no tensor', 'checkpoint {path}: state_dict.a is a list, expected a dense tensor of real numbers'),
        ('no config', '{path}: the checkpoint holds no config: say --config'),
        ('no classes', '{path}: the checkpoint names no classes: say --config'),
        ('no Python', '{path}: line 1 of the config in the checkpoint: invalid syntax'),
        (
            'object',
            'checkpoint {path} holds an object of fractions.Fraction (at extra), '
            'which only unpickling could read, and that runs code of whoever wrote '
            'the file; if you trust it, say --trust-checkpoint (in Python: '
            'trust_checkpoint=True)',
        ),
    ],
)
def test_what_is_not_published(kind, message, run_main, trained, tmp_path):
    path = tmp_path / 'bad.pth'
    spoil(kind, trained, path)
    result = run_main('model_converters/publish_model.py', path, tmp_path / 'zoo/')
    assert result == (1, '', f'error: {message.format(path=path)}\n')
    assert not (tmp_path / 'zoo').exists()


def test_truncated(run_main, trained, tmp_path):
    path = tmp_path / 'bad.pth'
    spoil('truncated', trained, path)
    status, out, err = run_main('model_converters/publish_model.py', path, tmp_path / 'zoo/')
    assert (status, out, err.count('\n')) == (1, '', 1)
    assert err.startswith(f'error: checkpoint {path} is truncated or damaged (')


def test_trusted(run_main, trained, tmp_path):
    path = tmp_path / 'mine.pth'
    spoil('object', trained, path)
    status, out, err = run_main(
        'model_converters/publish_model.py', path, tmp_path / 'zoo' / 'mine.pth', '--trust-checkpoint'
    )
    assert (status, err) == (0, '')
    (published,) = (tmp_path / 'zoo').iterdir()
    size = published.stat().st_size / 1e6
    num = len(load_checkpoint_file(published)['state_dict'])
    assert out == (
        f'{published}: written\n{num} tensors, {size:.1f} MB, '
        'iteration 8, 10 classes, 0 metrics\nleft out: '
        'message_hub, optimizer, param_schedulers, extra\n'
    )
    again = run_main('model_converters/publish_model.py', path, tmp_path / 'zoo' / 'mine.pth', '--trust-checkpoint')
    assert again[0] == 0
    assert again[1].startswith(f'{published}: is there already, the same\n')


def test_weights_must_fit_the_config(run_main, trained, digits, tmp_path):
    config = write_config(tmp_path / 'other.py', digits, "model['neck'].update(num_basic=1)\n")
    path = trained / 'iter_8.pth'
    result = run_main('model_converters/publish_model.py', path, tmp_path / 'zoo/', '--config', config)
    assert result == (
        1,
        '',
        f'error: {path}: the checkpoint is of another model: the model '
        'lacks 10 of its 138 entries, the first is '  # 4 fcs and that between
        'neck.basic.1.query_proj.weight\n',
    )


@pytest.mark.parametrize(
    'content, message',
    [
        (None, '{path} does not exist'),
        ('{"time": 1}\n{"time": 2}\n', '{path}: truncated or broken JSON, Extra data: line 2 column 1 (char 12)'),
        (
            '{"time": 1.5, "vid/mAP50": "high"}',
            '{path} holds no metrics such as vid/mAP50: expected what tools/test.py writes',
        ),
        ('[0.5]', '{path} holds no metrics such as vid/mAP50: expected what tools/test.py writes'),
    ],
)
def test_metrics_that_are_none(content, message, run_main, trained, tmp_path):
    path = tmp_path / 'metrics.json'
    if content is not None:
        path.write_text(content)
    result = run_main('model_converters/publish_model.py', trained / 'iter_8.pth', tmp_path / 'zoo/', '--metrics', path)
    assert result == (1, '', f'error: {message.format(path=path)}\n')
    assert not (tmp_path / 'zoo').exists()
