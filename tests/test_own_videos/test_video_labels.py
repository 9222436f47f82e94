# Copyright (c) mmrdn contributors. All rights reserved.
import csv
import json
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from helpers.videos import noise, write_mp4
from mmrdn.datasets.converters.frame_files import FrameFiles
from mmrdn.datasets.converters.loss_report import LossReport
from mmrdn.datasets.converters.readers import READERS
from mmrdn.own_videos.video_labels import label_video
from mmrdn.structures import FrameDetections
from mmrdn.video import open_source
from mmrdn.video.writers.coco_vid_writer import CocoVidWriter

NUM = 12  # frames of 48 by 64 pixels


def boxes_of(frame):
    """A car that turns at frame 6, a cat that is there in frames 3 to 5, and a box without a track."""
    x = 2.0 * frame if frame <= 6 else 24.0 - 2.0 * frame
    found = [((x, 5.0, x + 20.0, 25.0), 0, 1)]
    if 3 <= frame <= 5:
        found.append(((40.0, 20.0, 50.0, 40.0), 1, 2))
    if frame == 8:
        found.append(((0.0, 30.0, 9.0, 44.0), 1, -1))
    return found


class Inferencer:
    """Writes these boxes; stops after some frames as Ctrl-C does."""

    classes = ('car', 'cat')
    linker, tracker = object(), None
    device = torch.device('cpu')

    def __init__(self, stop=NUM):
        self.stop = stop

    def __call__(self, source, out_json, score_thr, progress):
        with CocoVidWriter(out_json, self.classes, video=source.name) as writer:
            for i in range(self.stop):
                boxes, labels, tracks = zip(*boxes_of(i))
                writer.write(
                    FrameDetections(
                        bboxes=boxes,
                        scores=np.full(len(boxes), 0.8),
                        labels=labels,
                        track_ids=list(tracks),
                        frame_id=i,
                        width=64,
                        height=48,
                    )  # fmt: skip
                )
        if self.stop < NUM:
            raise KeyboardInterrupt


@pytest.fixture
def source(tmp_path):
    return open_source(str(write_mp4(tmp_path / 'my clip.mp4', noise(NUM))))


@pytest.mark.parametrize('name', ['labels.zip', 'labels.xml', 'labels.json'])
def test_labels_come_back_as_they_were_detected(tmp_path, source, name):
    said = label_video(Inferencer(), source, tmp_path / name, min_iou=0.9)
    kind = 'label-studio' if name.endswith('json') else 'cvat-video'
    (video,) = READERS[kind](FrameFiles(size=(64, 48)), LossReport()).read(tmp_path / name)
    assert len(video.frames) == NUM
    found = {(track.label, box.frame): box.box for track in video.tracks for box in track.boxes}
    expected = {(('car', 'cat')[label], i): box for i in range(NUM) for box, label, t in boxes_of(i) if t > 0}
    assert found.keys() == expected.keys()
    for key, box in found.items():
        assert box == pytest.approx(expected[key], abs=0.01)  # straight ways: interpolation gives the same
    # Ends and turn of the car, ends of the cat; twelve and three boxes.
    assert said == '2 tracks, 5 keyframes for 15 boxes; left out: 1 boxes that are in no track'


def test_what_cvat_and_label_studio_are_given(tmp_path, source):
    label_video(Inferencer(), source, tmp_path / 'labels.zip')
    label_video(Inferencer(), source, tmp_path / 'labels.json')
    with zipfile.ZipFile(tmp_path / 'labels.zip') as archive:
        assert archive.namelist() == ['annotations.xml']
        assert archive.read('annotations.xml').count(b'keyframe="1" outside="0"') == 5
    (task,) = json.loads((tmp_path / 'labels.json').read_text())
    sequences = [region['value']['sequence'] for region in task['annotations'][0]['result']]
    assert [[item['frame'] for item in sequence] for sequence in sequences] == [[1, 7, 12], [4, 6]]


def test_rank(tmp_path, source):
    """The cat comes and goes: these frames differ most from their neighbors."""
    label_video(Inferencer(), source, tmp_path / 'labels.xml', tmp_path / 'rank.csv')
    with open(tmp_path / 'rank.csv') as file:
        rows = list(csv.DictReader(file))
    assert sorted(int(row['frame']) for row in rows) == list(range(NUM))
    assert float(rows[0]['disagreement']) >= float(rows[-1]['disagreement'])
    # Frame 8 differs from both neighbors by the box without a track; of 3 boxes 2 agree: IoU 18 / 22.
    assert rows[0]['frame'] == '8'
    assert float(rows[0]['disagreement']) == pytest.approx(1 - 2 * (18 / 22) / 3, abs=1e-4)


def test_what_is_done_is_written_after_ctrl_c(tmp_path, source):
    with pytest.raises(KeyboardInterrupt):
        label_video(Inferencer(stop=5), source, tmp_path / 'labels.xml')
    (video,) = READERS['cvat-video'](FrameFiles(), LossReport()).read(tmp_path / 'labels.xml')
    assert len(video.frames) == 5


def test_bad_input(tmp_path, source):
    for name in ('labels.txt', 'labels'):
        with pytest.raises(ValueError, match=r'--out must end in .zip, .xml, .json, got .*labels'):
            label_video(Inferencer(), source, tmp_path / name)
    with pytest.raises(ValueError, match=r'min_iou must be in \(0, 1\], got 0'):
        label_video(Inferencer(), source, tmp_path / 'labels.xml', min_iou=0)
    with pytest.raises(ValueError, match='give a linker, such as TubeLinking'):
        label_video(SimpleNamespace(linker=None, tracker=None), source, tmp_path / 'labels.xml')
    (tmp_path / 'rank.csv').write_text('mine')
    with pytest.raises(FileExistsError, match='rank.csv exists'):
        label_video(Inferencer(), source, tmp_path / 'labels.xml', tmp_path / 'rank.csv')
    assert sorted(path.name for path in tmp_path.iterdir()) == ['my clip.mp4', 'rank.csv']


def test_the_command(tmp_path, source, run_main, monkeypatch):
    given, kept = {}, []

    def make(*args, **kwargs):
        given.update(kwargs, args=args)
        return Inferencer()

    monkeypatch.setattr('mmrdn.apis.VideoInferencer', make)
    monkeypatch.setattr('mmrdn.utils.heap.keep_freed_memory', kept.append)
    out = tmp_path / 'labels.zip'
    command = ('label_video.py', source.name, '--config', 'c.py', '--checkpoint', 'c.pth', '--out', out, '--quiet')
    assert run_main(*command)[0] in (0, None)
    assert given['args'][:2] == ('c.py', 'c.pth')
    assert given['linker'] == dict(type='TubeLinking', min_iou=0.3) and given['tracker'] is None
    assert out.exists() and kept == [Inferencer.device]
    assert run_main(*command)[0] == 1
    assert run_main(*command, '--overwrite', '--linker', 'SeqNMS', '--link-iou', '0.4')[0] in (0, None)
    assert given['linker'] == dict(type='SeqNMS', min_iou=0.4) and given['tracker'] is None
    assert run_main(*command, '--overwrite', '--tracker', 'ByteTracker')[0] in (0, None)
    assert given['linker'] is None and given['tracker'] == dict(type='ByteTracker')
