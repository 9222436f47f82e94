# Copyright (c) mmrdn contributors. All rights reserved.
import pytest
import torch
import torch.nn as nn
from mmengine.runner import CheckpointLoader

from mmrdn.fileio.checkpoint import check_state_dict, load_checkpoint_file


@pytest.mark.parametrize(
    'change, partial, message',
    [
        (dict(), False, None),
        (dict(weight=None), True, None),
        (dict(weight=None), False, 'it lacks 1 of 2 entries, the first is weight'),
        (dict(weight=torch.ones(3, 2)), False, r'weight is \(3, 2\), expected \(2, 3\)'),
        (dict(weight=torch.ones(3, 2)), True, None),
        (dict(weight=None, bias=None), True, 'none of its 0 entries fits Linear'),
        (dict(extra=torch.ones(1)), False, 'the model lacks 1 of its 3 entries, the first is (module.)?extra'),
        (dict(extra=torch.ones(1)), True, None),
        (dict(bias=torch.tensor([1, torch.nan])), True, 'bias of the .* holds NaN'),
        (dict(bias=torch.tensor([1, torch.inf])), False, 'bias of the .* infinite'),
    ],
)
@pytest.mark.parametrize('prefix', ['', 'module.'])
def test_check_state_dict(change, partial, message, prefix):
    """With and without the prefix of a distributed training."""
    model = nn.Linear(3, 2)
    state = dict(model.state_dict(), **change)
    state = {prefix + k: v for k, v in state.items() if v is not None}
    for checkpoint in (state, dict(state_dict=state)):
        if message is None:
            check_state_dict(model, checkpoint, partial)
        else:
            with pytest.raises(ValueError, match=message):
                check_state_dict(model, checkpoint, partial)


def _with(**fields):
    return dict(state_dict=dict(a=torch.ones(1)), meta=dict(iter=1), **fields)


@pytest.mark.parametrize(
    'content, message',
    [
        (dict(state_dict=None), 'state_dict is None, expected a dict'),
        (dict(state_dict=[]), 'state_dict is a list, expected a dict'),
        (dict(state_dict={0: torch.ones(1)}), "state_dict has the key 0, expected a name"),
        (dict(state_dict={'a\x1b[31m': torch.ones(1)}), r"state_dict has the key 'a\x1b[31m', expected a name"),
        (dict(state_dict=dict(a=1.5)), 'state_dict.a is 1.5, expected a dense tensor of real numbers'),
        (
            dict(state_dict=dict(a=torch.ones(1, dtype=torch.complex64))),
            'state_dict.a is a tensor of torch.complex64, expected a dense tensor of real numbers',
        ),
        (
            _with(ema_state_dict={'module.b': torch.ones(1)}),
            'ema_state_dict.module.b is an average of nothing in its state_dict',
        ),
        ({1: 2}, 'its content has the key 1, expected a name'),
        (dict(meta=[]), 'meta is a list, expected a dict'),
        (dict(meta=dict(iter='1')), "meta.iter is '1', expected an integer from 0 to 9007199254740992"),
        (dict(meta=dict(epoch=True)), 'meta.epoch is True, expected an integer from 0 to 9007199254740992'),
        (dict(meta=dict(seed=2**32)), 'meta.seed is 4294967296, expected an integer from 0 to 4294967295'),
        (dict(meta=dict(dataset_meta=3)), 'meta.dataset_meta is 3, expected a dict'),
        (dict(meta=dict(dataset_meta=dict(classes=3))), 'meta.dataset_meta.classes is 3, expected names'),
        (dict(meta=dict(CLASSES=['a' * 1001])), 'meta.CLASSES has a str, expected a name'),
        (dict(model={1: torch.ones(1)}), 'model has the key 1, expected a name'),
        (dict(model=dict(a=1.5)), 'model.a is 1.5, expected a dense tensor of real numbers'),
        (dict(meta=dict(CLASSES=['a', 1])), 'meta.CLASSES has 1, expected a name'),
        (dict(meta=dict(CLASSES=['a\x07'])), r"meta.CLASSES has 'a\x07', expected a name"),
        (
            dict(meta=dict(dataset_meta=dict(palette=[(1, 2)]))),
            'meta.dataset_meta.palette has a tuple, expected colors of 3 integers',
        ),
        (dict(meta=dict(metrics=dict(mAP='x'))), "meta.metrics.mAP is 'x', expected a number"),
    ],
)  # fmt: skip
def test_what_is_of_another_kind_is_named(content, message, tmp_path):
    path = tmp_path / 'x.pth'
    torch.save(content, path)
    with pytest.raises(ValueError) as error:
        load_checkpoint_file(path)
    assert str(error.value) == f'checkpoint {path}: {message}'


def test_meta_that_is_none_is_none_at_all(tmp_path):
    torch.save(dict(meta=None), tmp_path / 'x.pth')
    assert load_checkpoint_file(tmp_path / 'x.pth') == {}


def test_what_mmengine_would_run_or_remove_does_not_reach_it(tmp_path):
    """Texts of configs, and best checkpoints that are not beside the file."""
    info = dict(cfg='x', best_ckpt='/elsewhere/best_a.pth', best_ckpt_b='/elsewhere/best_b.pth')
    info['best_ckpt_c'] = '../iter_1.pth'
    content = dict(meta=dict(cfg='x', config='x', iter=3), message_hub=dict(runtime_info=dict(info, iter=2)))
    torch.save(content, tmp_path / 'iter_1.pth')
    (tmp_path / 'best_b.pth').touch()
    found = CheckpointLoader.load_checkpoint(str(tmp_path / 'iter_1.pth'))
    assert found['meta'] == dict(iter=3)
    assert found['message_hub']['runtime_info'] == dict(best_ckpt_b=str(tmp_path / 'best_b.pth'), iter=2)
    # Converters read the text, and do not run it.
    assert load_checkpoint_file(tmp_path / 'iter_1.pth')['meta'] == content['meta']
