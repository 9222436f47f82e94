# Copyright (c) mmrdn contributors. All rights reserved.
import errno
import os

import pytest

from helpers.videos import CLASSES, flat, read_mp4
from helpers.writers import found
from mmrdn.fileio.coco_vid import CocoVidFile
from mmrdn.video import CocoVidWriter, Frame, ImageFolderWriter, JsonLinesWriter, MotWriter, VideoWriter


def make(kind, path, overwrite=False):
    """A writer, and what writes one frame to it."""
    if kind is VideoWriter:
        writer = kind(path, overwrite)
        return writer, lambda i=0: writer.write(flat(50), i / 4)
    if kind is ImageFolderWriter:
        writer = kind(path, overwrite)
        return writer, lambda i=0: writer.write(flat(50), Frame(None, i, 0))
    more = () if kind is MotWriter else (CLASSES,)
    writer = kind(path, *more, overwrite)
    return writer, lambda i=0: writer.write(found(i))


FILES = [(VideoWriter, 'a.mp4'), (JsonLinesWriter, 'a.jsonl'), (CocoVidWriter, 'a.json'), (MotWriter, 'a.txt')]
ALL = [*FILES, (ImageFolderWriter, 'folder')]
every_file = pytest.mark.parametrize('kind, name', FILES)
every_writer = pytest.mark.parametrize('kind, name', ALL)

# ------------------------------------------------------- what all writers do


@every_file
def test_existing_files_are_refused_at_once(kind, name, tmp_path):
    (tmp_path / name).write_text('precious')
    with pytest.raises(FileExistsError, match=f'{tmp_path / name} exists; .* or pass --overwrite'):
        make(kind, tmp_path / name)
    assert (tmp_path / name).read_text() == 'precious'
    writer, write = make(kind, tmp_path / name, overwrite=True)
    assert (tmp_path / name).read_text() == 'precious'  # nothing came so far
    with writer:
        write()
    assert b'precious' not in (tmp_path / name).read_bytes()
    assert os.listdir(tmp_path) == [name]


@every_file
def test_a_directory_of_that_name(kind, name, tmp_path):
    (tmp_path / name).mkdir()
    with pytest.raises(FileExistsError, match='is a directory, expected a file'):
        make(kind, tmp_path / name, overwrite=True)


@every_writer
def test_missing_directories_are_made(kind, name, tmp_path):
    writer, write = make(kind, tmp_path / 'x' / 'y' / name)
    with writer:
        write()
    assert os.listdir(tmp_path / 'x' / 'y') == [name]


@every_writer
def test_an_exception_leaves_nothing_half_written(kind, name, tmp_path):
    writer, write = make(kind, tmp_path / name)
    with pytest.raises(RuntimeError), writer:
        write(0)
        write(1)
        raise RuntimeError
    if kind is JsonLinesWriter:  # its lines are whole
        assert len((tmp_path / name).read_text().splitlines()) == 2
    else:
        assert os.listdir(tmp_path) == []


@every_writer
@pytest.mark.parametrize('error', [None, RuntimeError])
def test_no_frame_no_file(kind, name, error, tmp_path):
    writer, _ = make(kind, tmp_path / name)
    try:
        with writer:
            if error:
                raise error
    except RuntimeError:
        pass
    assert os.listdir(tmp_path) == []


@every_writer
def test_ctrl_c_completes(kind, name, tmp_path):
    writer, write = make(kind, tmp_path / name)
    with pytest.raises(KeyboardInterrupt), writer:
        write()
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == [name] and writer.num_frames == 1
    if kind is VideoWriter:
        assert len(read_mp4(tmp_path / name)[0]) == 1
    if kind is CocoVidWriter:
        assert len(CocoVidFile(str(tmp_path / name)).data['images']) == 1


@pytest.mark.parametrize('kind, name', [FILES[0], FILES[2], FILES[3]])
def test_what_came_meanwhile_is_kept(kind, name, tmp_path):
    writer, write = make(kind, tmp_path / name)
    write()
    (tmp_path / name).write_text('precious')
    with pytest.raises(FileExistsError, match='by something else meanwhile'):
        writer.close()
    assert (tmp_path / name).read_text() == 'precious'
    assert os.listdir(tmp_path) == [name]


@every_writer
def test_names_with_colons_in_the_working_directory(kind, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    writer, write = make(kind, f'a:b {name}')
    with writer:
        write()
    assert os.listdir(tmp_path) == [f'a:b {name}']


@pytest.mark.parametrize('kind, name', [case for case in ALL if case[1] != 'a.jsonl'])
def test_temporary_names_cannot_be_guessed(kind, name, tmp_path):
    """Nor does what another run left stand in the way."""
    writers = [make(kind, tmp_path / name)[0] for _ in range(2)]
    names = {writer.partial.name for writer in writers}
    assert len(names) == 2
    assert not any(f'.{os.getpid()}.' in partial for partial in names)
    for writer in writers:
        writer.abort()


@every_file
def test_permissions_are_those_of_any_new_file(kind, name, tmp_path):
    (tmp_path / 'plain').write_text('')
    writer, write = make(kind, tmp_path / name)
    with writer:
        write()
    modes = [(tmp_path / file).stat().st_mode for file in (name, 'plain')]
    assert modes[0] == modes[1]


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='needs /dev/full of Linux')
@pytest.mark.parametrize('kind, name', [FILES[0], FILES[3]])
def test_disk_full(kind, name, tmp_path):
    """The temporary file becomes one that never has room."""
    writer, write = make(kind, tmp_path / name)
    if kind is VideoWriter:  # FFmpeg opens it later
        writer.partial.unlink()
        writer.partial.symlink_to('/dev/full')
    else:
        full = os.open('/dev/full', os.O_WRONLY)
        os.dup2(full, writer._file.fileno())
        os.close(full)
    with pytest.raises(OSError, match='No space left on device') as error:
        with writer:
            for i in range(300):
                write(i)
    assert error.value.errno == errno.ENOSPC
    assert '\n' not in str(error.value)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize('kind, name', [FILES[2], ALL[4]])
def test_disk_full_where_files_are_opened_late(kind, name, tmp_path, monkeypatch):

    def no_room(*args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), 'a file')

    writer, write = make(kind, tmp_path / name)
    monkeypatch.setattr(os, 'replace', no_room)
    monkeypatch.setattr('pathlib.Path.write_bytes', no_room)
    with pytest.raises(OSError, match='No space left'), writer:
        write()
    monkeypatch.undo()
    assert os.listdir(tmp_path) == []
