# Copyright (c) mmrdn contributors. All rights reserved.
"""What the command of the runtime prints and writes, with a detector that is not a network."""

import json
import sys

import numpy as np
import pytest

import helpers.exported  # noqa: F401  (puts the runtime on the path)
from helpers.videos import flat
from mmrdn.structures import FrameDetections
from mmrdn_runtime import command


class _LateDetector:
    """Finds a box of score 0.9 and one of 0.3 in each frame, one frame late."""

    classes = ('a', 'b')

    def __init__(self, *args, **kwargs):
        self.frames = 0

    def open_stream(self, *args, **kwargs):
        return self

    def _found(self):
        boxes = np.array([[1.0, 2, 30, 40], [5, 6, 7, 8]], np.float32)
        return FrameDetections(bboxes=boxes, labels=np.array([1, 0]), scores=np.array([0.9, 0.3]))

    def prepare(self, image):
        return image

    def feed(self, image):
        self.frames += 1
        return [self._found()] if self.frames > 1 else []

    def flush(self):
        return [self._found()]


def test_summary_and_lines(tmp_path, monkeypatch, capsys):
    import cv2

    for i in range(3):
        cv2.imwrite(str(tmp_path / f'{i}.png'), flat(40 * i))
    monkeypatch.setattr(command, 'VideoDetector', _LateDetector)
    out = tmp_path / 'out.jsonl'
    monkeypatch.setattr(sys, 'argv', ['mmrdn-runtime', str(tmp_path / '*.png'), '--model', 'x', '--out-json', str(out)])
    with pytest.raises(SystemExit) as status:
        command.main()
    printed = capsys.readouterr()
    assert status.value.code == 0 and not printed.err
    assert printed.out.startswith('3 frames in ') and printed.out.endswith(f'a second): {out}\n')
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(lines) == 3
    for line in lines:
        (found,) = line['detections']
        assert found['score'] == pytest.approx(0.9) and found['bbox'] == [1, 2, 30, 40]
