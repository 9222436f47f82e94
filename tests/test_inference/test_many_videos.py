# Copyright (c) mmrdn contributors. All rights reserved.
"""Many videos without a detector: what is written when processes fail, are killed, or meet."""

import contextlib
import errno
import io
import json
import os
import re
import signal
import sys
import time
from pathlib import Path

import pytest
import torch
from rich.console import Console

from mmrdn.inference.many_videos import ManyVideos
from mmrdn.inference.results_directory import ResultsDirectory
from mmrdn.inference.video_list import VideoList
from mmrdn.inference.video_outputs import VideoSummary
from mmrdn.utils.frame_progress import FrameProgress

NAMES = ['good.mp4', 'bad.mp4', 'cut.mp4', 'sub/good.mp4']
FAILURES = [
    dict(video='bad.mp4', error='video bad.mp4 is empty'),
    dict(video='cut.mp4', error='truncated or damaged: the outputs hold what decodes, 2 frames'),
]
MUTATIONS = ('os.rename', 'os.remove', 'os.mkdir', 'os.rmdir', 'os.link', 'os.truncate')


def fake_detect(path, directory, progress):
    """Two outputs, as a detector would write them."""
    if path == 'bad.mp4':
        raise ValueError(f'video {path} is empty')
    for name in ('a.txt', 'b.txt'):
        with open(directory / name, 'w') as file:
            file.write(f'{name} of ')
            progress(1, 2)
            file.write(path)
    return VideoSummary(2, truncated=path == 'cut.mp4')


def run(directory, detect=fake_detect, names=NAMES, settings=None, console=None):
    videos = VideoList('/', {name: name for name in names})
    console = console or Console(file=io.StringIO())
    with contextlib.closing(ResultsDirectory(directory, videos, settings or dict(score_thr=0.3))) as results:
        progress = FrameProgress('videos', console)
        return ManyVideos(results, videos.paths, detect, progress, torch.device('cpu'), interval=0.01).run()


def tree(directory):
    """Content of all files, and names of all directories; hidden ones too."""
    return {
        str(path.relative_to(directory)): path.read_bytes() if path.is_file() else None
        for path in Path(directory).rglob('*')
    }


def visible(directory):
    return {name: content for name, content in tree(directory).items() if not name.startswith('.')}


def lines(path):
    return list(map(json.loads, path.read_text().splitlines()))


def test_outputs_and_failures(tmp_path, capsys):
    told = io.StringIO()
    assert run(tmp_path, console=Console(file=told)) == 2
    assert visible(tmp_path) == {
        'failures.jsonl': (tmp_path / 'failures.jsonl').read_bytes(),
        **dict.fromkeys(['good.mp4', 'cut.mp4', 'sub%2Fgood.mp4']),
        **{f'{n}/{o}': f'{o} of {n}'.encode() for n in ('good.mp4', 'cut.mp4') for o in ('a.txt', 'b.txt')},
        **{f'sub%2Fgood.mp4/{o}': f'{o} of sub/good.mp4'.encode() for o in ('a.txt', 'b.txt')},
    }
    assert lines(tmp_path / 'failures.jsonl') == FAILURES
    assert told.getvalue().splitlines()[-1] == 'videos 4/4 2 failed'
    assert capsys.readouterr().err == 'error: bad.mp4: video bad.mp4 is empty\n'


def test_again_what_failed_alone(tmp_path):
    """Finished videos stay, and damaged ones stay listed."""
    run(tmp_path)
    before = tree(tmp_path)
    seen = []

    def watched(path, *args):
        seen.append(path)
        return fake_detect(path, *args)

    assert run(tmp_path, watched) == 2
    assert seen == ['bad.mp4']
    assert tree(tmp_path) == before

    def mended(path, directory, progress):
        (directory / 'a.txt').touch()
        return VideoSummary(1)

    assert run(tmp_path, mended) == 1
    assert lines(tmp_path / 'failures.jsonl') == FAILURES[1:]
    for path in (tmp_path / 'cut.mp4').iterdir():
        path.unlink()
    (tmp_path / 'cut.mp4').rmdir()
    assert run(tmp_path, mended) == 0
    assert not (tmp_path / 'failures.jsonl').exists()


def test_frames_of_all_processes_are_shown(tmp_path):
    """A long video shows motion: 57 frames of this process, and 30 of another one."""
    told, seen = [], []

    class Told(FrameProgress):
        def update(self, done, total, note=''):
            told.append((done, total, note))

    def detect(path, directory, progress):
        if path == 'a.mp4':
            other.tell('b.mp4', 30)
            time.sleep(0.02)
            progress(57, 100)
            seen.append(told[-1])
            (tmp_path / '.mmrdn' / 'running' / 'b.mp4').unlink()
        return VideoSummary(1)

    names = ['a.mp4', 'c.mp4']
    videos = VideoList('/', {name: name for name in names})
    with contextlib.closing(ResultsDirectory(tmp_path, videos, {})) as results:
        with contextlib.closing(ResultsDirectory(tmp_path, videos, {})) as other:
            progress = Told('videos', Console(file=io.StringIO()))
            assert ManyVideos(results, videos.paths, detect, progress, torch.device('cpu'), interval=0.01).run() == 0
    assert seen == [(0, 2, '0 failed, 87 frames of those under way')]
    assert told[-1] == (2, 2, '0 failed')
    assert os.listdir(tmp_path / '.mmrdn' / 'running') == []


def test_counts_of_killed_processes_are_forgotten(tmp_path):
    run(tmp_path, names=['good.mp4'])
    (tmp_path / '.mmrdn' / 'running' / 'good.mp4').write_text('99')
    told = io.StringIO()
    assert run(tmp_path, names=['good.mp4'], console=Console(file=told)) == 0
    assert told.getvalue() == 'videos 1/1 0 failed\n'


def in_child(function, kill_at=None):
    """Run in a process of its own; kill it before its n-th change of the file system."""
    pid = os.fork()
    if not pid:
        status = 1
        try:
            count = 0

            def hook(event, args):
                nonlocal count
                writes = event == 'open' and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
                if event in MUTATIONS or writes:
                    count += 1
                    if count == kill_at:
                        os._exit(9)

            sys.addaudithook(hook)
            function()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.slow
def test_killed_at_each_change_of_the_file_system(tmp_path):
    """Outputs are whole or absent at each moment; started again, all is as it would have been."""
    names = NAMES[1:3]
    assert run(tmp_path / 'unbroken', names=names) == 2
    expected = tree(tmp_path / 'unbroken')
    assert lines(tmp_path / 'unbroken' / 'failures.jsonl') == FAILURES
    step, status = 0, 9
    while status == 9:
        step += 1
        directory = tmp_path / str(step)
        status = in_child(lambda: run(directory, names=names), step)
        if directory.exists():
            seen = visible(directory)
            listed = seen.pop('failures.jsonl', b'').splitlines()
            assert set(listed) <= set(expected['failures.jsonl'].splitlines()), step
            assert seen.items() <= expected.items(), step
        assert run(directory, names=names) == 2
        assert tree(directory) == expected, step
    assert status == 0 and step > 30


def test_a_process_that_is_killed_does_not_stop_the_others(tmp_path):
    """The rest first: whoever takes its video may be killed for it too."""
    deadly = ['a.mp4']

    def detect(path, directory, progress):
        if path in deadly:
            os._exit(9)
        return fake_detect(path, directory, progress)

    names = ['a.mp4', 'b.mp4', 'c.mp4']
    assert in_child(lambda: run(tmp_path, detect, names)) == 9
    assert visible(tmp_path) == {}
    assert in_child(lambda: run(tmp_path, detect, names)) == 9
    assert {name for name in visible(tmp_path) if '/' not in name} == {'b.mp4', 'c.mp4'}
    deadly.clear()
    assert run(tmp_path, detect, names) == 0
    assert {name for name in visible(tmp_path) if '/' not in name} == set(names)
    assert os.listdir(tmp_path / '.mmrdn' / 'partial') == []


def test_another_process_has_a_video(tmp_path):
    """It is waited for; and taken when that process is killed."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:

        def hang(path, *args):
            os.write(write, b'.')
            signal.pause()

        with contextlib.suppress(BaseException):
            run(tmp_path, hang)
        os._exit(1)
    assert os.read(read, 1) == b'.'
    seen = []

    def detect(path, *args):
        seen.append(path)
        if len(seen) == 3:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
        return fake_detect(path, *args)

    assert run(tmp_path, detect) == 2
    assert seen == ['bad.mp4', 'cut.mp4', 'sub/good.mp4', 'good.mp4']


def test_a_result_that_was_there_first_stays(tmp_path):
    """As on a file system whose locks other hosts do not see."""

    def slow(path, directory, progress):
        if path == 'good.mp4':
            (tmp_path / 'good.mp4').mkdir()
            (tmp_path / 'good.mp4' / 'a.txt').write_text('first')
        return fake_detect(path, directory, progress)

    assert run(tmp_path, slow, ['good.mp4']) == 0
    assert visible(tmp_path) == {'good.mp4': None, 'good.mp4/a.txt': b'first'}
    assert os.listdir(tmp_path / '.mmrdn' / 'partial') == []


@pytest.mark.parametrize(
    'error, text',
    [
        (ValueError('no frames'), 'no frames'),
        (RuntimeError('out of\nmemory'), 'RuntimeError: out of memory'),
        (MemoryError(), 'MemoryError: MemoryError'),
    ],
)
def test_any_error_is_that_of_one_video(error, text, tmp_path):
    def detect(path, directory, progress):
        if path == 'a.mp4':
            raise error
        return fake_detect(path, directory, progress)

    assert run(tmp_path, detect, ['a.mp4', 'b.mp4']) == 1
    assert lines(tmp_path / 'failures.jsonl') == [dict(video='a.mp4', error=text)]
    assert (tmp_path / 'b.mp4' / 'b.txt').exists()


def test_errors_do_not_name_temporary_files(tmp_path):
    def detect(path, directory, progress):
        raise ValueError(f'{directory / "o.mp4"}: H.264 takes no such frames')

    run(tmp_path, detect, ['a.mp4'])
    assert lines(tmp_path / 'failures.jsonl') == [dict(video='a.mp4', error='o.mp4: H.264 takes no such frames')]


def test_a_full_disk_is_no_fault_of_a_video(tmp_path):
    """Else every video left would fail within a second."""

    def detect(path, directory, progress):
        if path == 'b.mp4':
            raise OSError(errno.ENOSPC, 'No space left on device')
        return fake_detect(path, directory, progress)

    with pytest.raises(OSError, match='No space left'):
        run(tmp_path, detect, ['a.mp4', 'b.mp4', 'c.mp4'])
    assert {name for name in visible(tmp_path) if '/' not in name} == {'a.mp4'}


def test_ctrl_c_says_how_far_it_is(tmp_path):
    def detect(path, directory, progress):
        if path == 'b.mp4':
            raise KeyboardInterrupt
        return fake_detect(path, directory, progress)

    with pytest.raises(KeyboardInterrupt, match='interrupted; 1 of 3 videos are done; run the same command again'):
        run(tmp_path, detect, ['a.mp4', 'b.mp4', 'c.mp4'])
    assert os.listdir(tmp_path / '.mmrdn' / 'partial') == []


def test_other_settings_are_refused(tmp_path):
    run(tmp_path, names=['good.mp4'], settings=dict(score_thr=0.3, linker=None))
    before = tree(tmp_path)
    message = '(score_thr 0.3, now 0.5; linker null, now {"type": "SeqNMS"}): choose another directory'
    with pytest.raises(ValueError, match=re.escape(f'{tmp_path} holds results of other settings {message}')):
        run(tmp_path, names=['good.mp4'], settings=dict(score_thr=0.5, linker=dict(type='SeqNMS')))
    assert tree(tmp_path) == before


def test_directories_of_others_are_left_alone(tmp_path):
    (tmp_path / 'holiday.mp4').touch()
    with pytest.raises(FileExistsError, match='holds other files, such as holiday.mp4; choose an empty one'):
        run(tmp_path)
    assert os.listdir(tmp_path) == ['holiday.mp4']
