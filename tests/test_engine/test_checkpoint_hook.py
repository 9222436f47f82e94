# Copyright (c) mmrdn contributors. All rights reserved.
"""Old checkpoints go once the new one is there."""

import logging
from pathlib import Path
from types import SimpleNamespace

import pytest
from mmengine.fileio import get_file_backend
from mmengine.hooks import CheckpointHook as MMEngineCheckpointHook
from mmengine.logging import MessageHub
from mmengine.registry import DefaultScope, init_default_scope

from mmrdn.engine import CheckpointGuardHook, CheckpointHook
from mmrdn.engine.hooks.checkpoint_guard_hook import _keep_to_older, _keep_to_work_dir
from mmrdn.fileio.whole_file_backend import WholeFileBackend
from mmrdn.registry import HOOKS


class Run:
    """As much of a runner as the hook uses; notes what is there when a checkpoint is written."""

    def __init__(self, directory, name):
        self.work_dir, self.logger = str(directory), logging.getLogger(name)
        self.message_hub = MessageHub(name)
        self.epoch, self.iter = 0, -1
        self.max_iters, self.train_loop = 100, SimpleNamespace(max_iters=100)
        self.seen = {}

    def save_checkpoint(self, out_dir, filename, *args, **kwargs):
        self.seen[filename] = files(self.work_dir)
        get_file_backend(out_dir).put(b'checkpoint', f'{out_dir}/{filename}')


def files(directory):
    return sorted(path.name for path in Path(directory).glob('*.pth'))


@pytest.mark.parametrize('kind', [CheckpointHook, MMEngineCheckpointHook])
def test_the_old_one_is_there_until_the_new_one_is(kind, tmp_path):
    """MMEngine's hook is why: it leaves a moment without any."""
    run = Run(tmp_path, f'{kind.__module__}{tmp_path.name}')
    hook = kind(interval=1, by_epoch=False, max_keep_ckpts=1, save_best='acc', rule='greater')
    hook.before_train(run)
    for run.iter in range(3):
        hook.after_train_iter(run, run.iter)
        assert 'iter_%d.pth' % (run.iter + 1) in files(tmp_path)
    assert files(tmp_path) == ['iter_3.pth']
    ours = kind is CheckpointHook
    assert list(run.seen.values()) == [[], ['iter_1.pth'] if ours else [], ['iter_2.pth'] if ours else []]
    run.iter = 3
    for score in (0.1, 0.2):
        hook.after_val_epoch(run, dict(acc=score))
        run.iter += 1
    assert [name for name in files(tmp_path) if name.startswith('best')] == ['best_acc_iter_4.pth']
    assert ('best_acc_iter_3.pth' in run.seen['best_acc_iter_4.pth']) == ours


def test_weights_that_were_not_trained_are_not_saved(tmp_path):
    """A validation alone, and one before the first iteration, as those of a search over options of testing."""
    run = Run(tmp_path, tmp_path.name)
    run.iter = 7
    hook = CheckpointHook(interval=1, by_epoch=False, save_best='acc', rule='greater')
    hook.after_val_epoch(run, dict(acc=0.3))
    hook.before_train(run)
    hook.after_val_epoch(run, dict(acc=0.3))
    assert files(tmp_path) == []
    run.iter = 8
    hook.after_val_epoch(run, dict(acc=0.2))
    assert files(tmp_path) == ['best_acc_iter_8.pth']


def test_configs_of_ours_have_it():
    with DefaultScope.overwrite_default_scope('mmrdn'):
        assert type(HOOKS.build(dict(type='CheckpointHook'))) is CheckpointHook
    init_default_scope('mmrdn')


def test_a_file_that_is_not_written_to_its_end_leaves_the_one_before(tmp_path, monkeypatch):
    """The backend that MMEngine has for local files."""
    backend = get_file_backend(str(tmp_path))
    assert isinstance(backend, WholeFileBackend)
    path = tmp_path / 'a' / 'x.pth'
    backend.put(b'first', path)
    synced = []

    def full_disk(number):
        synced.append(path.read_bytes())
        raise OSError('No space left on device')

    monkeypatch.setattr('os.fsync', full_disk)
    with pytest.raises(OSError, match='No space left'):
        backend.put(b'second', path)
    assert synced == [b'first'] and path.read_bytes() == b'first' and len(list(path.parent.iterdir())) == 1
    monkeypatch.undo()
    backend.put_text('sécond', path, 'latin-1')
    assert path.read_bytes() == b's\xe9cond'


@pytest.mark.parametrize('place, stays', [('work', True), ('elsewhere', False), ('work/below', False)])
def test_a_best_checkpoint_elsewhere_is_forgotten(place, stays, tmp_path):
    run = SimpleNamespace(work_dir=str(tmp_path / 'work'), hooks=[CheckpointGuardHook(), CheckpointHook()])
    info = dict(best_ckpt=f'{tmp_path}/{place}/best_a.pth', iter=3)
    _keep_to_work_dir(run, info)
    assert info == dict(iter=3) | (dict(best_ckpt=f'{tmp_path}/{place}/best_a.pth') if stays else {})


@pytest.mark.parametrize('kind', [CheckpointHook, MMEngineCheckpointHook])
@pytest.mark.parametrize(
    'ids, num, kept', [([4, 4], 1, [4]), ([4, 3], 1, [4]), ([4, 2, 3], 2, [3, 4]), ([4, 9], 1, [4]), ([], 1, [])]
)
def test_the_checkpoint_that_is_resumed_stays_until_the_next_one(kind, ids, num, kept, tmp_path):
    """Whatever it says of those that may go."""
    (tmp_path / 'iter_4.pth').write_text('the only one')
    hook = kind(interval=1, by_epoch=False, max_keep_ckpts=num)
    run = Run(tmp_path, f'{kind.__module__}{tmp_path.name}')
    run.hooks = [CheckpointGuardHook(), hook]
    info = dict(keep_ckpt_ids=ids)
    _keep_to_older(run, dict(meta=dict(iter=4, epoch=0), message_hub=dict(runtime_info=info)))
    run.message_hub.update_info('keep_ckpt_ids', info['keep_ckpt_ids'])
    hook.before_train(run)
    assert files(tmp_path) == ['iter_4.pth'] and list(hook.keep_ckpt_ids) == kept


def test_epochs_are_compared_with_the_epoch():
    hook = CheckpointHook(interval=1, by_epoch=True, max_keep_ckpts=3)
    run = SimpleNamespace(hooks=[hook], train_loop=SimpleNamespace())
    info = dict(keep_ckpt_ids=[1, 2, 3, 70])
    _keep_to_older(run, dict(meta=dict(iter=80, epoch=2), message_hub=dict(runtime_info=info)))
    assert info['keep_ckpt_ids'] == [1, 2]
