# Copyright (c) mmrdn contributors. All rights reserved.
import json

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from helpers.videos import lines_of, noise, tiny_inferencer
from mmrdn.fileio.coco_vid import CocoVidFile
from mmrdn.models import ByteTracker
from mmrdn.video import RawSource
from mmrdn.visualization import FrameDrawer

TRACKER = dict(type='ByteTracker')
# Cat, dog and owl of three classes; (x, y, width, height, score, label) in frames of 64 by 48 pixels.
NUM = 8


def boxes_of(t):
    """A cat to the right and one to the left that meet, an owl without frame 4, a weak dog in frame 2."""
    found = [(2 + 4 * t, 4, 20, 20, 0.9, 0), (40 - 4 * t, 6, 20, 20, 0.8, 0)]
    found += [(30, 24, 20, 20, 0.7, 2)] * (t != 4) + [(2, 30, 10, 10, 0.2, 1)] * (t == 2)
    return found if t % 2 else found[::-1]


def ids_of(t):
    """By the kinds of boxes in :func:`boxes_of`; frame 0 has them backwards: owl, left, right."""
    found = [3, 2] + [1] * (t != 4) + [-1] * (t == 2)
    return found if t % 2 else found[::-1]


def detector(detect=boxes_of, **kwargs):
    """An inferencer of random weights, T = 2, that detects these boxes."""
    inferencer = tiny_inferencer(**kwargs)

    def found(frame, window, rescale, recorders):
        rows = np.array(detect(frame.data_sample.frame_id), np.float32).reshape(-1, 6)
        frame.data_sample.pred_det_instances = InstanceData(
            bboxes=torch.from_numpy(np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], axis=1)),
            scores=torch.from_numpy(rows[:, 4].copy()),
            labels=torch.from_numpy(rows[:, 5].astype(np.int64)),
        )
        return frame.data_sample

    inferencer.model.detect = found
    return inferencer


def ids(sample):
    return sample.pred_det_instances.instances_id.tolist()


@pytest.mark.slow
@pytest.mark.parametrize('lookahead, source', [(0, 'file'), (2, 'pipe')])
def test_tracks_in_all_outputs(lookahead, source, clip, tmp_path, monkeypatch):
    """However late results come, they come in order; a class that is left out was tracked all the same.

    Linked boxes of a pipe, which is read once, could not be drawn.
    """
    drawn = []

    def draw(drawer, image, detections, supports=None):
        drawn.append(detections.track_ids.tolist())
        return image

    monkeypatch.setattr(FrameDrawer, 'draw', draw)
    paths = dict(out_video=tmp_path / 'o.mp4', out_json=tmp_path / 'o.jsonl', out_mot=tmp_path / 'o.txt')
    inferencer = detector(lookahead=lookahead, tracker=TRACKER)
    video = clip[0]
    if source == 'pipe':
        (tmp_path / 'raw').write_bytes(np.stack(noise(NUM)).tobytes())
        video = RawSource((64, 48), open(tmp_path / 'raw', 'rb'))
    inferencer(video, **paths, score_thr=0.1)
    assert drawn == [ids_of(t) for t in range(NUM)]
    lines = lines_of(paths['out_json'])
    assert [[found.get('track_id', -1) for found in line['detections']] for line in lines] == drawn
    assert [[found['label'] for found in line['detections']] for line in lines] == (
        [[int(box[5]) for box in boxes_of(t)] for t in range(NUM)]
    )
    rows = [row.split(',')[:2] for row in paths['out_mot'].read_text().splitlines()]
    assert rows == [[str(t + 1), str(track)] for t in range(NUM) for track in ids_of(t)]

    inferencer(clip[0], out_json=tmp_path / 'o.json', score_thr=0.3, classes=['cat', 'owl'])
    frames = CocoVidFile(str(tmp_path / 'o.json')).predictions(inferencer.classes).values()
    assert [frame.track_ids.tolist() for frame in frames] == [[i for i in ids_of(t) if i > 0] for t in range(NUM)]


@pytest.mark.slow
def test_a_video_does_not_know_of_the_one_before(clip, tmp_path):
    inferencer = detector(tracker=TRACKER)
    for name in ('a', 'b'):
        inferencer(clip[0], out_mot=tmp_path / name, score_thr=0)
    assert (tmp_path / 'a').read_text() == (tmp_path / 'b').read_text() != ''


@pytest.mark.slow
def test_a_stream_that_is_fed_with_the_next_video():
    """When one has ended, or was broken off."""
    stream = detector(lambda t: boxes_of(t % NUM), tracker=TRACKER).open_stream()
    for _ in range(2):
        results = [result for image in noise(NUM) for result in stream.feed(stream.prepare(image))]
        results += stream.flush()
        assert list(map(ids, results)) == [ids_of(t) for t in range(NUM)]
    for image in noise(7):
        stream.feed(stream.prepare(image))
    stream.reset()
    results = [result for image in noise(NUM) for result in stream.feed(stream.prepare(image))]
    assert list(map(ids, results)) == [ids_of(t) for t in range(len(results))] and results


@pytest.mark.slow
def test_streams_side_by_side():
    """Two streams with other boxes, one of them empty at first, one frame of each in turn."""

    def detect(t):
        name = next(names)
        return boxes_of(t) if name == 'a' else [] if t < 3 else [(3 * t, 8, 20, 30, 0.9, 0)]

    inferencer = detector(detect, lookahead=0, tracker=TRACKER)
    names = iter('ab' * NUM)
    found = [[], []]
    for index, sample in inferencer.stream_many([noise(NUM, seed=1), noise(NUM, seed=2)]):
        found[index].append(ids(sample))
    assert found == [[ids_of(t) for t in range(NUM)], [[]] * 3 + [[1]] * 5]

    names = iter('ab' * NUM)
    streams = [inferencer.open_stream() for _ in range(2)]
    pushed = [[], []]
    for image in noise(NUM):
        for stream, results in zip(streams, pushed):
            results += map(ids, stream.feed(stream.prepare(image)))
    assert pushed == found


@pytest.mark.slow
@pytest.mark.parametrize('lookahead', [0, 1])
def test_the_detector_is_tracked_as_it_is(lookahead):
    """Its results, given to a tracker afterwards, get the same tracks; nothing else changes."""
    options = dict(TRACKER, obj_score_thrs=dict(high=0.3, low=0.1))
    images = [image // 8 + 60 for image in noise(6)]  # much the same
    found = list(tiny_inferencer(lookahead=lookahead, tracker=options).stream(images))
    plain = list(tiny_inferencer(lookahead=lookahead).stream(images))
    tracker, seen = ByteTracker(obj_score_thrs=options['obj_score_thrs']), set()
    for ours, theirs in zip(found, plain, strict=True):
        assert 'instances_id' not in theirs.pred_det_instances
        for field in ('bboxes', 'scores', 'labels'):
            assert torch.equal(ours.pred_det_instances[field], theirs.pred_det_instances[field])
        tracker.add_ids(theirs)
        assert ids(ours) == ids(theirs)
        seen.update(ids(ours))
        ours.pred_det_instances.instances_id += 1  # may be changed
    assert len(seen - {-1}) > 1


def test_refused():
    for tracker, message in (
        (dict(type='Nothing'), 'there is no tracker Nothing, expected one of ByteTracker'),
        (dict(type='SeqNMS'), 'tracker SeqNMS must be a tracker such as ByteTracker'),
        ('ByteTracker', "tracker must be a dict such as dict(type='ByteTracker'), got 'ByteTracker'"),
    ):
        with pytest.raises(ValueError) as error:
            tiny_inferencer(tracker=tracker)
        assert str(error.value) == message
    with pytest.raises(ValueError, match='give a linker or a tracker, not both'):
        tiny_inferencer(tracker=TRACKER, linker=dict(type='SeqNMS'))


# -------------------------------------------------------------------- commands


@pytest.fixture
def low_scores(monkeypatch):
    """Trackers take the scores of a network of 8 iterations."""
    thresholds, *others = ByteTracker.__init__.__defaults__
    assert set(thresholds) == {'high', 'low'}
    monkeypatch.setattr(ByteTracker.__init__, '__defaults__', (dict(high=0.02, low=0.01), *others))


@pytest.mark.slow
def test_the_commands(clip, tiny_config, trained, tmp_path, run_main, low_scores):
    """A trained network, by the commands; what they refuse they refuse before anything is written."""
    model = (tiny_config, trained / 'iter_8.pth')
    video = ('demo_video.py', clip[0], *model, '--device', 'cpu', '--score-thr', '.02')
    out = ('--out-json', tmp_path / 'o.jsonl', '--out-mot', tmp_path / 'o.txt')
    assert run_main(*video, *out, '--tracker', 'Nothing')[::2] == (
        (1, 'error: there is no tracker Nothing, expected one of ByteTracker\n')
    )
    refused = run_main(*video, *out, '--tracker', 'ByteTracker', '--linker', 'SeqNMS')[2]
    assert refused == 'error: give a linker or a tracker, not both: either gives boxes their tracks\n'
    assert not list(tmp_path.glob('o.*'))
    assert run_main(*video, *out, '--tracker', 'ByteTracker')[0] == 0
    found = [
        [line['frame'] + 1, box.get('track_id', -1)]
        for line in lines_of(tmp_path / 'o.jsonl')
        for box in line['detections']
    ]
    assert max(track for _, track in found) > 0
    assert found == [list(map(int, row.split(',')[:2])) for row in (tmp_path / 'o.txt').read_text().splitlines()]

    label = ('label_video.py', clip[0], '--config', model[0], '--checkpoint', model[1], '--out', tmp_path / 'l.xml')
    status, _, error = run_main(*label, '--tracker', 'ByteTracker', '--link-iou', '.5')
    assert (status, error) == (1, 'error: --link-iou is an option of linkers: leave it or --tracker out\n')
    options = ('--device', 'cpu', '--score-thr', '.02', '--tracker', 'ByteTracker')
    assert run_main(*label, *options)[0] in (0, None)
    assert '<track ' in (tmp_path / 'l.xml').read_text()


@pytest.mark.slow
def test_many_videos(clip, tiny_config, trained, tmp_path, run_main, low_scores):
    """The tracker is one of the settings of a directory of results."""
    command = ('detect_videos.py', clip[0].parent, tmp_path / 'out', '--config', tiny_config)
    command += ('--checkpoint', trained / 'iter_8.pth', '--device', 'cpu', '--score-thr', '.02', '--quiet')
    assert run_main(*command, '--tracker', 'ByteTracker')[0] == 0
    status, _, error = run_main(*command)
    assert status == 1 and 'holds results of other settings (tracker ' in error
    lines = (tmp_path / 'out' / 'clip.mp4' / 'detections.jsonl').read_text().splitlines()
    frames = list(map(json.loads, lines))
    assert [frame['frame'] for frame in frames] == list(range(NUM))
    assert any('track_id' in box for frame in frames for box in frame['detections'])
