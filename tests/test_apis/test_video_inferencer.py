# Copyright (c) mmrdn contributors. All rights reserved.
import copy
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from helpers.tools import tool_env
from helpers.videos import flat, noise, tiny_inferencer
from mmrdn.apis import VideoInferencer, build_runner, load_config
from mmrdn.engine.hooks import ChannelsLastHook
from mmrdn.export.refusals import resize_config
from mmrdn.video import open_source


def assert_same(results, expected):
    assert len(results) == len(expected) > 0
    num = 0
    for one, other in zip(results, expected):
        one, other = one.pred_det_instances, other.pred_det_instances
        assert one.labels.tolist() == other.labels.tolist()
        num += len(one)
        for field in ('bboxes', 'scores'):
            torch.testing.assert_close(one[field], other[field], rtol=1e-4, atol=1e-4)
    assert num > 0


# ------------------------------------------------------- against the test loop


@pytest.mark.slow
@pytest.mark.parametrize('lookahead', [None, 0, 1])
@pytest.mark.parametrize('scale', [(160, 128), (300, 200)])
def test_results_are_those_of_the_test_loop(lookahead, scale, trained, tiny_config, digits, tmp_path):
    """The way of tools/test.py, with resizing: runner, loader, test_step."""
    cfg = load_config(str(tiny_config), work_dir=str(tmp_path))
    cfg.test_dataloader.dataset.pipeline[1].scale = scale
    if lookahead is not None:
        cfg.model.lookahead = lookahead
    cfg.experiment_name = tmp_path.name
    checkpoint = str(trained / 'iter_8.pth')
    runner = build_runner(copy.deepcopy(cfg))
    runner.load_checkpoint(checkpoint)
    ChannelsLastHook().before_run(runner)  # as the config says
    runner.model.eval()
    expected = []
    with torch.no_grad():
        for batch in runner.build_dataloader(cfg.test_dataloader):
            expected += runner.model.test_step(batch)
    cfg.model.pop('lookahead', None)

    inferencer = VideoInferencer(cfg, checkpoint, 'cpu', lookahead)
    assert inferencer.lookahead == (2 if lookahead is None else lookahead)
    assert inferencer.classes[:2] == ('zero', 'one')
    videos = {}
    for sample in expected:
        videos.setdefault(sample.video_id, []).append(sample)
    assert [len(video) for video in videos.values()] == [5] * 4
    for video in videos.values():
        frames = [cv2.imread(sample.img_path) for sample in video]
        results = list(inferencer.stream(iter(frames)))
        assert_same(results, video)
        assert [r.frame_id for r in results] == list(range(5))


# --------------------------------------------------------------------- streams


@pytest.mark.parametrize('lookahead', [0, 1, 2])
def test_when_frames_are_read_and_results_given(lookahead):
    events = []

    def frames():
        for i, frame in enumerate(noise(6)):
            events.append(f'read {i}')
            yield frame

    for result in tiny_inferencer(lookahead).stream(frames()):
        events.append(f'gave {result.frame_id}')
    expected = []
    for i in range(6):
        expected.append(f'read {i}')
        if i >= lookahead:
            expected.append(f'gave {i - lookahead}')
    expected += [f'gave {i}' for i in range(6 - lookahead, 6)]
    assert events == expected


@pytest.mark.parametrize('length', [0, 1])
def test_short_videos(length):
    assert len(list(tiny_inferencer().stream(noise(length)))) == length


@pytest.mark.parametrize(
    'frame, message',
    [
        (flat(0).astype(np.float32), r'got \(48, 64, 3\) float32'),
        (flat(0)[..., 0], r'got \(48, 64\) uint8'),
        (np.zeros((48, 64, 4), np.uint8), r'got \(48, 64, 4\) uint8'),
        (np.zeros((0, 64, 3), np.uint8), r'got \(0, 64, 3\) uint8'),
        (None, 'got a NoneType'),
        (torch.zeros(48, 64, 3), 'got a Tensor'),
    ],
)
def test_wrong_frames_are_named(frame, message):
    with pytest.raises(ValueError, match=f'^frame 2 must be .*{message}'):
        list(tiny_inferencer().stream([flat(1), flat(2), frame]))
    with pytest.raises(ValueError, match=f'^video 1, frame 1 must be .*{message}'):
        list(tiny_inferencer().stream_many([noise(3), [flat(1), frame]]))


def test_frame_that_the_pipeline_cannot_take():
    """96 pixels wide, it would be 0 high."""
    with pytest.raises(ValueError, match='^frame 0, 999x1: the test pipeline'):
        list(tiny_inferencer().stream([flat(1, (1, 999))]))


@pytest.mark.parametrize('size', [(1, 1), (1, 60), (60, 1)])
def test_thin_frames(size):
    results = list(tiny_inferencer().stream(noise(3, size)))
    assert [r.ori_shape for r in results] == [size] * 3
    for result in results:
        boxes = result.pred_det_instances.bboxes
        assert (boxes >= 0).all() and torch.isfinite(boxes).all()
        assert (boxes[:, 2] <= size[1]).all() and (boxes[:, 3] <= size[0]).all()


@pytest.mark.slow
def test_size_may_change_in_the_middle():
    """Boxes are in pixels of their own frame.

    The second half are the frames of the first, twice as large: on the scale of the network's input
    all are about the same.
    """
    small = noise(3, (36, 48))
    large = [cv2.resize(f, (96, 72), interpolation=cv2.INTER_LINEAR) for f in small]
    results = list(tiny_inferencer(scale=(96, 72)).stream(small + large))
    assert [r.ori_shape for r in results] == [(36, 48)] * 3 + [(72, 96)] * 3
    assert [r.img_shape for r in results] == [(72, 96)] * 6
    same = list(tiny_inferencer(scale=(96, 72)).stream(large + large))
    for i, (one, other) in enumerate(zip(results, same)):
        factor = 2 if i < 3 else 1
        torch.testing.assert_close(
            one.pred_det_instances.bboxes * factor, other.pred_det_instances.bboxes, atol=1e-3, rtol=0
        )


@pytest.mark.slow
@pytest.mark.parametrize('lookahead', [0, None])
def test_many_streams_are_one_at_a_time(lookahead):
    """Videos of other lengths and sizes, one of which changes, and one empty."""
    videos = [
        noise(5, seed=1),
        noise(2, (64, 48), seed=2),
        [],
        noise(7, seed=3),
        noise(2, (64, 48), seed=4) + noise(2, seed=5),
    ]
    inferencer = tiny_inferencer(lookahead)
    batches = []
    extract = inferencer.model.extract

    def count(imgs, samples):
        batches.append(len(imgs))
        return extract(imgs, samples)

    inferencer.model.extract = count
    results = [[] for _ in videos]
    for i, result in inferencer.stream_many([iter(v) for v in videos]):
        results[i].append(result)
    # Round by round, portrait apart from landscape.
    assert batches == [2, 2, 2, 2, 3, 3, 2, 1, 1]
    for video, found in zip(videos, results):
        if video:
            assert_same(found, list(inferencer.stream(video)))
        else:
            assert found == []


def test_many_streams_online():
    """The results of a round come before the next round is read."""
    events = []

    def frames(name):
        for i, frame in enumerate(noise(3)):
            events.append((name, i))
            yield frame

    for i, result in tiny_inferencer(0).stream_many([frames(0), frames(1)]):
        events.append(f'gave {i} {result.frame_id}')
    assert events == [event for t in range(3) for event in ((0, t), (1, t), f'gave 0 {t}', f'gave 1 {t}')]


MEMORY = """
import resource
import numpy as np
import mmrdn
from helpers.videos import tiny_inferencer

def frames():
    rng = np.random.default_rng(0)
    for i in range(1200):
        yield rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)

def peak():  # MiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

peaks = {}
for count, result in enumerate(tiny_inferencer().stream(frames()), 1):
    if count in (200, 1200):
        peaks[count] = peak()
print(count, peaks[200], peaks[1200])
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_video():
    """1,000 frames would be 9 MiB, their features and samples more."""
    env = tool_env()
    env['PYTHONPATH'] += os.pathsep + str(Path(__file__).parents[1])
    done = subprocess.run([sys.executable, '-c', MEMORY], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    count, early, late = done.stdout.splitlines()[-1].split()
    assert int(count) == 1200
    assert float(late) - float(early) < 4, done.stdout


# -------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (dict(lookahead=3), 'lookahead must be an integer number of frames, from 0 to 2, got 3'),
        (dict(lookahead=-1), 'lookahead must be an integer number of frames, from 0 to 2, got -1'),
        (dict(lookahead=0.5), 'lookahead must be an integer number of frames, from 0 to 2, got 0.5'),
        (dict(device='abc'), 'device abc cannot be used'),
        (dict(device='cuda:97'), 'device cuda:97 cannot be used'),
        (dict(checkpoint='x.pth'), 'a model or a checkpoint, not both'),
        (
            dict(cfg_options={'test_dataloader.dataset.pipeline.0.type': 'RandomFlip'}),
            'must begin with one of LoadFrame, .* got RandomFlip',
        ),
        (dict(cfg_options=dict(test_dataloader=None)), 'no "test_dataloader"'),
    ],
)
def test_wrong_settings(kwargs, message):
    model = tiny_inferencer()
    with pytest.raises(ValueError, match=message):
        VideoInferencer(model.cfg, **dict(dict(device='cpu', model=model.model), **kwargs))


def test_config_of_a_training_on_video_files():
    """Frames are given, not loaded, whatever transform loads them in the data sets; exporting takes it too."""
    model = tiny_inferencer()
    options = {'test_dataloader.dataset.pipeline.0.type': 'LoadFrameFromVideo'}
    inferencer = VideoInferencer(model.cfg, device='cpu', model=model.model, cfg_options=options)
    frames = noise(3)
    assert_same(list(inferencer.stream(frames)), list(model.stream(frames)))
    assert resize_config(inferencer.cfg) == resize_config(model.cfg)


def test_amp_is_close():
    frames = noise(4)
    exact = list(tiny_inferencer().stream(frames))
    mixed = list(tiny_inferencer(amp=True).stream(frames))
    assert len(mixed) == 4
    for one, other in zip(exact, mixed):
        top = [r.pred_det_instances.scores.float().max() for r in (one, other)]
        assert top[0] != top[1] and abs(top[0] - top[1]) < 0.05


def test_a_stream_that_fails_does_not_end_the_others():

    def broken():
        yield flat(1)
        yield flat(2)
        raise OSError('the camera was unplugged')

    inferencer, results = tiny_inferencer(lookahead=1), []
    with pytest.raises(OSError, match='unplugged'):
        for i, result in inferencer.stream_many([noise(5), broken()]):
            results.append((i, result.frame_id))
    assert [t for i, t in results if i == 0] == list(range(5))
    assert [t for i, t in results if i == 1] == [0, 1]


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(max_frames=2), '^max_frames is for videos that are opened here'),
        (dict(fps=9), '^fps is for videos that are opened here'),
        (dict(strict=True), '^strict is for videos that are opened here'),
        (dict(score_thr=float('nan')), '^score_thr must be 0 or more, got nan'),
        (dict(score_thr=-1), '^score_thr must be 0 or more, got -1'),
    ],
)
def test_options_without_effect_are_refused(options, message, clip, tmp_path):
    with pytest.raises(ValueError, match=message):
        tiny_inferencer()(open_source(clip[0]), out_json=tmp_path / 'o.json', **options)
    assert list(tmp_path.glob('o*')) == []


def test_lookahead_is_a_whole_number():
    with pytest.raises(ValueError, match='lookahead must be an integer number'):
        tiny_inferencer(lookahead=1.0)


def test_pipelines_that_load_annotations():
    """A frame has none."""
    model = tiny_inferencer().model
    cfg = tiny_inferencer(model=model).cfg
    pipeline = cfg.test_dataloader.dataset.pipeline
    pipeline.insert(1, dict(type='LoadTrackAnnotations'))
    found = list(VideoInferencer(cfg, model=model).stream(noise(2)))
    assert_same(found, list(tiny_inferencer(model=model).stream(noise(2))))
