# Copyright (c) mmrdn contributors. All rights reserved.
"""What the command of the runtime prints and writes, with a detector that is not a network."""

import ast
import json
import re
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from helpers.demo_clip import CLIP
from helpers.exported import COMMAND, run_runtime
from helpers.videos import flat, write_mp4
from mmrdn.post_processing import LINKERS
from mmrdn.structures import FrameDetections
from mmrdn.utils.interrupts import ENDING
from mmrdn_runtime import command

# Prints the files of mmrdn that the command imports, in place of running it.
PRINT_FILES = COMMAND.replace(
    'main()\n',
    """
import mmrdn.inference.linked_frames, mmrdn.inference.video_outputs
files = [getattr(module, '__file__', None) for name, module in sys.modules.items() if name.startswith('mmrdn')]
print(*filter(None, files), sep='\\n')
""",
)


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
    out, mot, images = tmp_path / 'out.jsonl', tmp_path / 'out.txt', tmp_path / 'images'
    outputs = ['--out-json', str(out), '--out-mot', str(mot), '--out-images', str(images)]
    monkeypatch.setattr(sys, 'argv', ['mmrdn-runtime', str(tmp_path / '*.png'), '--model', 'x', *outputs])
    with pytest.raises(SystemExit) as status:
        command.main()
    printed = capsys.readouterr()
    assert status.value.code == 0 and not printed.err
    assert printed.out.startswith('3 frames in ') and printed.out.endswith(f'a second): {out}, {mot}, {images}\n')
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(lines) == 3
    for line in lines:
        (found,) = line['detections']
        assert found['score'] == pytest.approx(0.9) and found['bbox'] == [1, 2, 30, 40]
    box = '-1,1.000,2.000,29.000,38.000,0.900000,-1,-1,-1'
    assert mot.read_text().splitlines() == [f'{frame},{box}' for frame in (1, 2, 3)]
    assert sorted(path.name for path in images.iterdir()) == [f'00000{i}_{i}.jpg' for i in range(3)]


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_complete_the_files(number, tmp_path, monkeypatch, capsys):
    """The third frame is fed as the signal comes; the detector is one frame late."""

    class Detector(_LateDetector):
        def feed(self, image):
            if self.frames == 2:
                signal.raise_signal(number)
            return super().feed(image)

    before = {other: signal.signal(other, signal.default_int_handler) for other in ENDING}
    write_mp4(tmp_path / 'clip.mp4', [flat(20 * i) for i in range(9)])
    monkeypatch.setattr(command, 'VideoDetector', Detector)
    out = tmp_path / 'out.jsonl'
    monkeypatch.setattr(sys, 'argv', f'mmrdn-runtime {tmp_path}/clip.mp4 --model x --out-json {out}'.split())
    try:
        with pytest.raises(SystemExit) as status:
            command.main()
    finally:
        for other, handler in before.items():
            signal.signal(other, handler)
    assert status.value.code == 130
    assert capsys.readouterr().err == f'interrupted after 1 frame: {out}\n'
    assert len(out.read_text().splitlines()) == 1


def options_of(text):
    return set(re.findall(r'--[a-z][a-z-]*', text))


@pytest.mark.slow
def test_messages_name_options_of_both_commands(tmp_path, run_main):
    """Those of modules that ``tools/demo_video.py`` and ``mmrdn-runtime`` share."""
    runtime = options_of(run_runtime(tmp_path, '--help').stdout)
    both = runtime & options_of(run_main('demo_video.py', '--help')[1])
    found = {}
    for file in run_runtime(tmp_path, command=PRINT_FILES).stdout.splitlines():
        nodes = ast.walk(ast.parse(Path(file).read_text()))
        texts = [x.value for x in nodes if isinstance(x, ast.Constant) and isinstance(x.value, str)]
        found[Path(file).name] = named = options_of(' '.join(texts)) - {'--format'}  # that of fc-list
        assert named <= (runtime if 'mmrdn_runtime' in file else both), file
    assert found['base_writer.py'] == {'--overwrite'} and found['font.py'] == {'--font'}


def test_linkers():
    assert set(command.LINKERS) == {kind.__name__ for kind in LINKERS}
    assert [type(command.make_linker(name)).__name__ for name in command.LINKERS] == list(command.LINKERS)


@pytest.mark.slow
@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('Foo', 'there is no box linker Foo, expected one of BoxLinkingWithRelations, SeqNMS, TubeLinking'),
        ('SeqNMS', 'linking needs scipy and numba: pip install scipy numba (scipy is not installed)'),
    ],
)
def test_linkers_without_scipy(name, message, tmp_path):
    without = COMMAND.replace(' scipy numba', '')
    args = str(CLIP), '--model', 'x', '--out-json', 'out.jsonl', '--linker', name
    done = run_runtime(tmp_path, *args, command=without)
    assert (done.returncode, done.stderr) == (1, f'error: {message}\n') and not list(tmp_path.iterdir())
