# Copyright (c) mmrdn contributors. All rights reserved.
"""Checkpoints that ``tools/test.py`` must not, or may, load."""

import io
import itertools
import json
import pathlib
import pickle

import pytest
import torch
from mmengine.runner import CheckpointLoader

from mmrdn.fileio.checkpoint import install_safe_loading, load_checkpoint_file


class Intruder:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return pathlib.Path.touch, (pathlib.Path(self.path),)


@pytest.fixture
def test_tool(run_main, tiny_config, tmp_path):
    """Run ``tools/test.py`` with the arguments after the config."""

    runs = itertools.count()

    def call(*args):
        return run_main(
            'test.py',
            tiny_config,
            *args,
            '--work-dir',
            tmp_path / 'work',
            '--cfg-options',
            f'experiment_name={tmp_path.name}_{next(runs)}',
            f'test_evaluator.outfile_prefix={tmp_path}/out',
        )

    yield call
    install_safe_loading()  # a test may have trusted a checkpoint


def refused(result):
    """The one line of an error."""
    status, out, err = result
    assert status == 1
    assert err.startswith('error: ') and err.count('\n') == 1, err
    assert 'mAP50: ' not in out
    return err


def test_none_given(test_tool):
    assert 'no checkpoint given' in refused(test_tool())


@pytest.mark.parametrize(
    'content, message',
    [
        (None, 'checkpoint {path} does not exist'),
        (b'', 'checkpoint {path} is empty'),
        (0.5, 'checkpoint {path} is truncated or damaged'),
        (b'weights of mine\n', '{path} is not a checkpoint'),
        (b'RIFF\x10\0\0\0AVI LIST', '{path} is not a checkpoint'),  # a video
        (b'\x80\x02R', 'checkpoint {path} is truncated or damaged'),
        ([1, 2], 'checkpoint {path} holds a list, expected a dict'),
        (dict(state_dict=dict(fc=torch.ones(1))), 'of another model: none of its 1 entries fits RDN'),
        (dict(), 'of another model'),
    ],
)
def test_no_checkpoint_of_this_model(content, message, test_tool, trained, tmp_path):
    path = tmp_path / 'x.pth'
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == 0.5:
        whole = (trained / 'iter_8.pth').read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    elif content is not None:
        torch.save(content, path)
    assert message.format(path=path) in refused(test_tool(path))
    assert not list(tmp_path.glob('out*'))


def test_other_shapes_and_missing_entries(test_tool, trained, tmp_path):
    state = load_checkpoint_file(trained / 'iter_8.pth')['state_dict']
    name = 'neck.basic.0.query_proj.weight'
    torch.save(dict(state_dict=dict(state, **{name: torch.ones(3, 3)})), tmp_path / 'shape.pth')
    assert f'{name} is (3, 3), expected (32, 32)' in refused(test_tool(tmp_path / 'shape.pth'))
    del state[name]
    torch.save(dict(state_dict=state), tmp_path / 'less.pth')
    assert f'lacks 1 of {len(state) + 1} entries, the first is {name}' in refused(test_tool(tmp_path / 'less.pth'))


@pytest.mark.parametrize('legacy', [False, True])
def test_what_would_have_to_be_unpickled(legacy, test_tool, trained, tmp_path):
    """Refused, not run, unless the user opts in."""
    whole = load_checkpoint_file(trained / 'iter_8.pth')
    made = tmp_path / 'made'
    path = tmp_path / 'foreign.pth'
    torch.save(
        dict(state_dict=whole['state_dict'], extra=Intruder(made)), path, _use_new_zipfile_serialization=not legacy
    )
    err = refused(test_tool(path))
    assert f'checkpoint {path} holds an object of ' in err
    assert '--trust-checkpoint' in err
    assert not made.exists()

    status, out, err = test_tool(path, '--trust-checkpoint')
    assert status == 0, err
    assert 'vid/mAP50: ' in out and made.exists()


def test_harmless_objects_are_refused_by_name(tmp_path):
    path = tmp_path / 'x.pth'
    torch.save(dict(path=pathlib.PurePosixPath('a')), path)
    with pytest.raises(ValueError, match=r'holds an object of pathlib\.'):
        load_checkpoint_file(path)
    assert load_checkpoint_file(path, trust_checkpoint=True)['path'] == pathlib.PurePosixPath('a')


def test_files_that_mmengine_names_are_not_unpickled(trained, tmp_path, monkeypatch):
    """MMEngine reads them by torch.load or by a function of its own."""
    monkeypatch.setenv('MMENGINE_HOME', str(tmp_path))
    made = tmp_path / 'made'
    torch.save(dict(extra=Intruder(made)), tmp_path / 'theirs.pth')
    (tmp_path / 'open_mmlab.json').write_text(json.dumps(dict(theirs='theirs.pth', ours=f'{trained}/iter_8.pth')))
    with pytest.raises(ValueError, match='--trust-checkpoint'):
        CheckpointLoader.load_checkpoint('open-mmlab://theirs')
    assert not made.exists()
    # A training checkpoint holds more than tensors.
    found = CheckpointLoader.load_checkpoint('open-mmlab://ours')
    assert found['meta']['iter'] == 8


def test_getattr_is_no_way_in(tmp_path):
    """Training checkpoints pickle ``getattr``; only theirs is let through."""

    class Getter:
        def __reduce__(self):
            return getattr, (torch.nn.Module, '__init__')

    path = tmp_path / 'x.pth'
    torch.save(dict(extra=Getter()), path, pickle_protocol=2)
    with pytest.raises(ValueError, match='--trust-checkpoint'):
        load_checkpoint_file(path)


def test_a_plain_pickle_is_not_run(tmp_path):
    path, made = tmp_path / 'x.pkl', tmp_path / 'made'
    path.write_bytes(pickle.dumps(Intruder(made)))
    with pytest.raises(ValueError):
        load_checkpoint_file(path)
    assert not made.exists()


def test_streams_and_earlier_allowances(tmp_path):
    """Object stores hand over streams; what others allow stays allowed."""
    data = io.BytesIO()
    torch.save(dict(a=torch.arange(3)), data)
    data.seek(0)
    before = torch.serialization.get_safe_globals()
    torch.serialization.add_safe_globals([pathlib.PurePosixPath])
    try:
        assert load_checkpoint_file(data)['a'].tolist() == [0, 1, 2]
        after = torch.serialization.get_safe_globals()
        assert set(after) == {*before, pathlib.PurePosixPath}
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(before)


@pytest.mark.parametrize('legacy', [False, True])
def test_damage_anywhere_names_the_file(legacy, tmp_path):
    """Cut short after any byte, or with any one byte changed."""
    whole, path = tmp_path / 'whole.pth', tmp_path / 'damaged.pth'
    torch.save(
        dict(state_dict=dict(fc=torch.ones(3)), meta=dict(iter=1)), whole, _use_new_zipfile_serialization=not legacy
    )
    content = whole.read_bytes()
    cut = [content[:end] for end in range(1, len(content), 7)]
    changed = [content[:i] + bytes([content[i] ^ 0x55]) + content[i + 1 :] for i in range(0, len(content), 5)]
    refusals = 0
    for damaged in cut + changed:
        path.write_bytes(damaged)
        try:
            load_checkpoint_file(path)  # a changed weight is no damage
        except ValueError as error:
            assert str(path) in str(error) and '\n' not in str(error)
            refusals += 1
    assert refusals > len(cut) / 2
