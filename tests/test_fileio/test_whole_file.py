# Copyright (c) mmrdn contributors. All rights reserved.
import os

import pytest

from mmrdn.fileio.whole_file import whole_file


def write(path, text, **options):
    with whole_file(path, **options) as file:
        file.write(text.encode())


def test_new_file(tmp_path):
    path = tmp_path / 'new' / 'x.pth'
    write(path, 'a', overwrite=False)
    assert path.read_text() == 'a'
    assert [p.name for p in path.parent.iterdir()] == ['x.pth']
    with pytest.raises(FileExistsError) as error:
        write(path, 'b', overwrite=False)
    assert str(error.value) == f'{path} exists; choose another name'
    assert path.read_text() == 'a'


@pytest.mark.parametrize('links', [True, False])
def test_what_came_into_being_meanwhile_stays(tmp_path, monkeypatch, links):

    def fail(*args):
        raise PermissionError('no links')

    if not links:
        monkeypatch.setattr('os.link', fail)
    path = tmp_path / 'x.pth'
    write(path, 'a', overwrite=False)
    assert path.read_text() == 'a'
    path.unlink()
    with pytest.raises(FileExistsError), whole_file(path, overwrite=False) as file:
        file.write(b'b')
        path.write_text('mine')
    assert path.read_text() == 'mine'
    assert [p.name for p in tmp_path.iterdir()] == ['x.pth']


def test_content_and_then_the_name_are_on_the_disk(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr('os.fsync', lambda number: synced.append(os.readlink(f'/proc/self/fd/{number}')))
    write(tmp_path / 'x.pth', 'a')
    assert synced[0].endswith('.partial') and synced[1:] == [str(tmp_path)]


def test_replaced_only_when_whole(tmp_path):
    path = tmp_path / 'x.json'
    write(path, 'a')
    write(path, 'b')
    assert path.read_text() == 'b'
    with pytest.raises(RuntimeError), whole_file(path) as file:
        file.write(b'c')
        raise RuntimeError
    assert path.read_text() == 'b'
    assert [p.name for p in tmp_path.iterdir()] == ['x.json']
