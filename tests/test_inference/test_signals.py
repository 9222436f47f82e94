# Copyright (c) mmrdn contributors. All rights reserved.
"""SIGTERM and SIGHUP at every line of what writes and ends the outputs of a run."""

import contextlib
import signal
import sys

import numpy as np
import pytest

from helpers.videos import read_mp4, tiny_inferencer
from mmrdn.structures import FrameDetections
from mmrdn.utils.interrupts import ENDING, end_as_ctrl_c_does

WATCHED = ('video_inferencer.py', 'video_outputs.py', 'interrupts.py', 'base_writer.py', 'mot_writer.py')
DETECTIONS = FrameDetections(bboxes=np.array([[1.0, 2, 20, 30]]), scores=np.array([0.9]), labels=np.array([0]))


@pytest.fixture(autouse=True)
def handlers():
    before = {number: signal.signal(number, signal.default_int_handler) for number in ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class Run:
    """A run over three frames; signals come at some line after the third was detected.

    Args:
        inferencer (VideoInferencer): Detector, whose model is not run.
        clip (Path): Video.
    """

    def __init__(self, inferencer, clip):
        self.inferencer, self.clip = inferencer, clip
        self.lines = 0

    def __call__(self, directory, moment=None):
        """Return the numbers of frames in the files after signals at the given line."""
        for number in ENDING:
            signal.signal(number, signal.default_int_handler)
        end_as_ctrl_c_does()
        self.lines, self.moment = 0, moment
        directory.mkdir()
        outputs = dict(out_video=directory / 'o.mp4', out_json=directory / 'o.jsonl', out_mot=directory / 'o.txt')
        try:
            with contextlib.suppress(KeyboardInterrupt):
                self.inferencer(self.clip, **outputs, max_frames=3, score_thr=0.5)
        finally:
            sys.settrace(None)
        if not outputs['out_video'].exists():
            return sorted(path.name for path in directory.iterdir())
        texts = [outputs[name].read_text().splitlines() for name in ('out_json', 'out_mot')]
        return (len(read_mp4(outputs['out_video'])[0]), *map(len, texts))

    def detect(self, stream, source, buffer, keep_images):
        """Detect a box in each frame."""
        for i, frame in enumerate(source):
            if i == 2:
                sys.settrace(self.trace)
                sys._getframe(1).f_trace = self.trace
            yield DETECTIONS, frame, {}

    def trace(self, frame, event, arg):
        if not frame.f_code.co_filename.endswith(WATCHED):
            return None
        if event == 'line':
            self.lines += 1
            if self.lines == self.moment:
                # Both are there before Python looks.
                signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
                signal.raise_signal(signal.SIGTERM)
                signal.raise_signal(signal.SIGHUP)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
        return self.trace


@pytest.mark.slow
def test_no_line_is_the_wrong_moment(clip, tmp_path, monkeypatch):
    run = Run(tiny_inferencer(), clip[0])
    monkeypatch.setattr('mmrdn.apis.video_inferencer.detect', run.detect)
    assert run(tmp_path / 'all') == (3, 3, 3)
    assert run.lines > 50
    counts = [run(tmp_path / str(moment), moment) for moment in range(1, run.lines + 1)]
    # The last frame is in all of the files or in none, and in all once its writing has begun.
    assert set(counts) == {(2, 2, 2), (3, 3, 3)}
    assert counts == sorted(counts)
    assert counts.index((3, 3, 3)) < 40
