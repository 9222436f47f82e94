# Copyright (c) mmrdn contributors. All rights reserved.
"""Comparison of detections: cached supports against the baseline relation."""

import itertools

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from torch.utils.data import DataLoader

from mmrdn.apis import build_runner
from mmrdn.benchmarks.baseline_relation import baseline_of


def compare_detections(cfg: Config, checkpoint: str) -> dict[str, float]:
    """Detect in the first video of the test set, twice.

    Args:
        cfg (Config): Config of an RDN, with a test data set.
        checkpoint (str): Path or URL of its weights.

    Returns:
        dict[str, float]: Numbers of frames and detections, and the largest difference of a box
        (pixels) and of a score.

    Raises:
        ValueError: The two find different numbers or classes.
    """
    cfg.load_from = checkpoint
    runner = build_runner(cfg)
    runner.load_or_resume()
    model = runner.model.eval()
    init_default_scope('mmrdn')
    loader = Runner.build_dataloader(cfg.test_dataloader)
    with torch.no_grad():
        ours = _first_video(model, loader)
        model.stream.window.memory.aggregator = baseline_of(model.neck)
        expected = _first_video(model, loader)
    box = score = 0.0
    for frame, (a, b) in enumerate(zip(ours, expected)):
        if len(a) != len(b) or not torch.equal(a.labels, b.labels):
            raise ValueError(f'frame {frame}: {len(a)} detections with the memory, {len(b)} without, or other classes')
        if len(a):
            box = max(box, (a.bboxes - b.bboxes).abs().max().item())
            score = max(score, (a.scores - b.scores).abs().max().item())
    return dict(frames=len(ours), detections=sum(map(len, ours)), box_difference=box, score_difference=score)


def _first_video(model: torch.nn.Module, loader: DataLoader) -> list[InstanceData]:
    """Return the detections of each frame of the first video."""
    model.stream.reset()
    videos = itertools.groupby(loader, lambda data: data['data_samples'][0].metainfo['video_id'])
    _, first = next(videos)
    return [result.pred_det_instances for data in first for result in model.test_step(data)]
