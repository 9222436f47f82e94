# Copyright (c) mmrdn contributors. All rights reserved.
import io
import os

from rich.console import Console

from mmrdn.utils.frame_progress import FrameProgress


def shown(total, frames, terminal=False, quiet=False):
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=100)
    with FrameProgress('frames', console, quiet) as progress:
        for done in range(1, frames + 1):
            progress.update(done, total)
    return out.getvalue()


def test_a_line_a_tenth():
    lines = shown(40, 40).splitlines()
    assert lines == [f'frames {4 * i}/40' for i in range(1, 11)]


def test_a_line_a_hundred_where_nobody_knows_the_number():
    assert shown(None, 250).splitlines() == ['frames 100', 'frames 200']


def test_a_line_a_minute_where_there_is_more_to_say(monkeypatch):
    """One update each 25 seconds, of which none finishes a tenth."""
    out, times = io.StringIO(), iter(range(0, 1000, 25))
    monkeypatch.setattr('mmrdn.utils.frame_progress.time.monotonic', lambda: next(times))
    with FrameProgress('videos', Console(file=out)) as progress:
        for i in range(6):
            progress.update(0, 40, f'{100 * i} frames')
        for _ in range(6):
            progress.update(0, 40)
    assert out.getvalue().splitlines() == ['videos 0/40 200 frames', 'videos 0/40 500 frames']


def test_a_bar_on_a_terminal():
    text = shown(5, 5, terminal=True)
    assert '5/5' in text and 'fps' in text and '\x1b[' in text


def test_quiet():
    assert shown(5, 5, quiet=True) == shown(5, 5, True, quiet=True) == ''


def test_a_pipe_that_nobody_reads_does_not_end_the_run():
    """As in ``demo_video.py ... | head -n 1``."""

    class Broken(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

        def fileno(self):
            return os.open(os.devnull, os.O_WRONLY)

    with FrameProgress('frames', Console(file=Broken())) as progress:
        for done in range(1, 11):
            progress.update(done, 10)
    assert progress.quiet
