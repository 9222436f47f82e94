# Copyright (c) mmrdn contributors. All rights reserved.
import json
from types import SimpleNamespace

import pytest
import torch.nn as nn

from mmrdn.engine import CostHook

# Of each frame: video, place in it, milliseconds of its step.
FRAMES = [(7, 0, 500), (7, 1, 300), (8, 0, 0), (8, 1, 0), (8, 2, 90), (9, 0, 10)]


def measured(frames, path, monkeypatch):
    now = 0.0
    hook = CostHook(str(path))
    monkeypatch.setattr('mmrdn.engine.hooks.cost_hook.idle_time', lambda: now)
    runner = SimpleNamespace(
        model=nn.Sequential(nn.Conv2d(3, 4, 5), nn.BatchNorm2d(4)), rank=0, logger=SimpleNamespace(warning=print)
    )
    hook.before_test_epoch(runner)
    for i, (video, place, milliseconds) in enumerate(frames):
        sample = SimpleNamespace(metainfo=dict(video_id=video, frame_id=place))
        batch = None if video is None else dict(data_samples=[sample])
        hook.before_test_iter(runner, i, batch)
        now += milliseconds / 1000
        hook.after_test_iter(runner, i, batch, [])
        now += 12345.0  # loading the next frame does not count
    hook.after_test_epoch(runner, {})
    return json.loads(path.read_text()) if path.exists() else None


def test_the_first_video_warms_up(tmp_path, monkeypatch):
    """90 ms for 3 frames and 10 for 1, however late results come."""
    found = measured(FRAMES, tmp_path / 'cost.json', monkeypatch)
    assert found['ms_per_frame'] == pytest.approx((90 + 10) / 4)
    assert found['ms_by_video'] == pytest.approx([30, 10])
    assert (found['frames'], found['videos']) == (4, 2)
    # Weights and biases; not the running mean and variance.
    assert found['parameters'] == 4 * 3 * 5 * 5 + 4 + 4 + 4
    assert found['machine']['threads'] >= 1


def test_an_only_video_counts(tmp_path, monkeypatch):
    found = measured(FRAMES[:2], tmp_path / 'cost.json', monkeypatch)
    assert found['ms_per_frame'] == pytest.approx(400)
    assert (found['frames'], found['videos']) == (2, 1)


def test_bad_frames_count_nowhere(tmp_path, monkeypatch, capsys):
    """Batches without a good frame: first of all, within a video, at the end of one, whose flush takes 30 ms."""
    bad = (None, None, 0)
    frames = [bad, *FRAMES[:3], bad, *FRAMES[3:5], (None, None, 30), FRAMES[5]]
    found = measured(frames, tmp_path / 'cost.json', monkeypatch)
    assert found['ms_by_video'] == pytest.approx([(90 + 30) / 3, 10])
    assert (found['frames'], found['videos']) == (4, 2)
    assert measured([bad, bad], tmp_path / 'none.json', monkeypatch) is None
    assert capsys.readouterr().out == f'CostHook: no frame could be timed, {tmp_path}/none.json is not written\n'
