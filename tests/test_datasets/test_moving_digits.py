# Copyright (c) mmrdn contributors. All rights reserved.
import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest

from mmrdn.datasets.converters.ilsvrc_vid import convert_vid
from mmrdn.datasets.moving_digits import (
    MovingDigitsConfig,
    load_split_digits,
    load_split_photos,
    make_moving_digits,
    make_scene,
)

TINY = MovingDigitsConfig(num_train_videos=3, train_frames=3, num_val_videos=2, val_frames=4)
CLEAN = replace(TINY, degradations=(), noise_std=0.0, exposure=0.0, num_digits=(1, 1))


def _digest(directory):
    """Hash of every file by its path below a directory."""
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob('*'))
        if path.is_file()
    }


@pytest.fixture(scope='module')
def sources():
    return load_split_digits('train'), load_split_photos('train')


@pytest.fixture(scope='module')
def tiny(tmp_path_factory):
    directory = tmp_path_factory.mktemp('tiny') / 'digits'
    assert make_moving_digits(directory, TINY, progress=False)
    return directory


@pytest.mark.slow
def test_same_bytes_and_independent_videos(tiny, tmp_path):
    np.random.seed(7)  # nothing may hang on the global generator
    make_moving_digits(tmp_path / 'again', TINY, progress=False)
    first = _digest(tiny)
    assert _digest(tmp_path / 'again') == first
    more = replace(TINY, num_train_videos=4, num_val_videos=1)
    make_moving_digits(tmp_path / 'more', more, progress=False)
    other = _digest(tmp_path / 'more')
    shared = [k for k in first if k in other and k.startswith(('Data', 'Ann'))]
    assert len(shared) == 2 * (3 * 3 + 1 * 4)
    assert all(first[k] == other[k] for k in shared)
    seeded = replace(TINY, seed=1)
    make_moving_digits(tmp_path / 'seeded', seeded, progress=False)
    assert _digest(tmp_path / 'seeded') != first


def test_reuse_and_refusal(tiny, tmp_path):
    before = _digest(tiny)
    assert not make_moving_digits(tiny, TINY, progress=False)
    with pytest.raises(FileExistsError, match='other settings .*seed'):
        make_moving_digits(tiny, replace(TINY, seed=3), progress=False)
    assert _digest(tiny) == before
    mine = tmp_path / 'mine'
    mine.mkdir()
    (mine / 'thesis.txt').write_text('precious')
    with pytest.raises(FileExistsError, match='mine is not empty'):
        make_moving_digits(mine, TINY, progress=False)
    assert [p.name for p in tmp_path.rglob('*')] == ['mine', 'thesis.txt']


def test_failure_leaves_nothing(tmp_path, monkeypatch):

    def fail(*args):
        raise OSError('no space left')

    monkeypatch.setattr('mmrdn.datasets.moving_digits.generation._write_lists', fail)
    with pytest.raises(OSError, match='no space left'):
        make_moving_digits(tmp_path / 'digits', TINY, progress=False)
    assert not list(tmp_path.iterdir())


def test_splits_share_no_digit_and_no_part_of_a_photograph():
    train, val = load_split_digits('train'), load_split_digits('val')
    assert not set(train['samples']) & set(val['samples'])
    assert len(train['samples']) + len(val['samples']) == 1797
    assert np.bincount(val['labels']).tolist() == [44, 45, 44, 45, 45, 45, 45, 44, 43, 45]
    for left, right in zip(load_split_photos('train'), load_split_photos('val')):
        assert left.shape == (427, 384, 3)
        assert right.shape == (427, 244, 3)  # 640 - int(0.62 * 640) columns


def test_box_is_tight(sources):
    """The box against the pixels that differ from the bare background."""
    boxes = 0
    for index in range(12):
        scene = make_scene(CLEAN, 'train', index, *sources)
        for t in range(scene.num_frames):
            image, objects = scene.render(t)
            background = scene.background(t)
            color = scene.tracks[0].color
            # Opacity by least squares over the channels.
            way = color - background
            opacity = ((image - background) * way).sum(-1) / (way**2).sum(-1)
            rows, columns = np.nonzero(opacity >= 0.5)
            for item in objects:
                found = np.array([columns.min(), rows.min(), columns.max(), rows.max()])
                # Rounding to gray levels may move a border by one pixel.
                assert np.abs(found - item['bbox']).max() <= 1
                boxes += 1
    assert boxes > 25


def test_little_ink_in_the_frame_is_not_annotated(sources):
    scene = make_scene(CLEAN, 'train', 0, *sources)
    track = scene.tracks[0]
    track.velocity, track.margin = np.zeros(2), -100.0
    track.size_wave = (0.0, 0.0, 0.0)
    seen = []
    for x in (-0.45, -0.2, 0.2, 0.45):  # center, in sizes inside the frame
        track.start = np.array([x * track.size, 60.0])
        objects = scene.render(0)[1]
        seen.append(len(objects))
        if objects:
            assert objects[0]['bbox'][0] >= 0
    assert seen[0] == 0 and seen[-1] == 1 and seen == sorted(seen)


@pytest.mark.slow
def test_labels_do_not_leak(sources):
    """Color, size, pace and start are independent of the class."""
    config = replace(TINY, train_frames=1)
    rows = []
    for index in range(600):
        scene = make_scene(config, 'train', index, *sources)
        rows += [
            [t.label, *t.color, t.size, np.linalg.norm(t.velocity), *t.start, len(t.episodes)] for t in scene.tracks
        ]
    rows = np.array(rows)
    labels = rows[:, 0].astype(int)
    count = np.bincount(labels, minlength=10)
    assert count.min() > 0.7 * count.max()
    values = (rows[:, 1:] - rows[:, 1:].mean(0)) / rows[:, 1:].std(0)
    for label in range(10):
        score = values[labels == label].mean(0) * np.sqrt(count[label])
        assert np.abs(score).max() < 4  # standard errors


def test_episodes_are_short_and_frequent(sources):
    config = replace(TINY, val_frames=40)
    degraded = []
    for index in range(20):
        scene = make_scene(config, 'val', index, *sources)
        for track in scene.tracks:
            state = [bool(track.episode(t)) for t in range(40)]
            degraded += state
            runs = ''.join('x' if s else ' ' for s in state).split()
            assert all(len(run) <= 3 for run in runs)
            assert all(len(run) >= 2 for run in runs[1:-1])
    assert 0.4 < np.mean(degraded) < 0.6


def test_layout_passes_the_converter(tiny, tmp_path):
    for split, videos, frames in (('train', 3, 3), ('val', 2, 4)):
        out_file = tmp_path / f'{split}.json'
        summary = convert_vid(tiny, split, out_file, classes='moving_digits', progress=False)
        assert summary['videos'] == videos
        assert summary['images'] == videos * frames
        assert summary['notes'] == []
        data = json.loads(out_file.read_text())
        assert data['categories'][0] == dict(id=1, name='zero', encode_name='n00000000')
        for image in data['images']:
            assert (tiny / 'Data' / 'VID' / image['file_name']).is_file()
            assert (image['height'], image['width']) == (128, 160)
            assert image['is_vid_train_frame'] == (split == 'train')


@pytest.mark.parametrize(
    'field, value, text',
    [
        ('size', (60.0, 30.0), 'size must be'),
        ('train_frames', 0, 'train_frames must be at least 1'),
        ('degradations', ('rain',), "got 'rain'"),
        ('height', 5000, 'height and width'),
        ('num_digits', (0, 2), 'num_digits must be at least 1'),
    ],
)
def test_bad_setting(field, value, text):
    with pytest.raises(ValueError, match=text):
        replace(TINY, **{field: value})
