# Copyright (c) mmrdn contributors. All rights reserved.
"""Box linking: seconds a video, against plain Python, over its length."""

from typing import Any

import numpy as np

from mmrdn.benchmarks.plain_seq_nms import plain_seq_nms
from mmrdn.benchmarks.timing import take_turns
from mmrdn.post_processing import BaseBoxLinker, BoxLinkingWithRelations, SeqNMS, TubeLinking


def random_video(num_frames: int, num_boxes: int, num_classes: int, seed: int = 0) -> list[dict]:
    """Draw boxes that drift over 1000 x 600 pixels, with noise.

    Args:
        num_frames (int): Number of frames.
        num_boxes (int): Boxes of each frame.
        num_classes (int): Classes, in equal shares.
        seed (int): Seed of the boxes.

    Returns:
        list[dict]: ``bboxes``, ``scores`` and ``labels`` of each frame.
    """
    rng = np.random.default_rng(seed)
    center = rng.uniform(0, 1, (num_boxes, 2)) * [1000, 600]
    speed = rng.normal(0, 3, (num_boxes, 2))
    size = rng.uniform(30, 150, (num_boxes, 2))
    base = rng.uniform(0, 1, num_boxes)
    labels = np.arange(num_boxes) % num_classes
    frames = []
    for t in range(num_frames):
        middle = (center + t * speed) % [1000, 600]
        middle = middle + rng.normal(0, 3, middle.shape)
        order = rng.permutation(num_boxes)
        boxes = np.concatenate([middle - size / 2, middle + size / 2], 1)
        scores = np.clip(base + rng.normal(0, 0.1, num_boxes), 0.001, 1)
        frames.append(dict(bboxes=boxes[order], scores=scores[order], labels=labels[order]))
    return frames


def random_relations(frames: list[dict], seed: int = 0) -> list[np.ndarray]:
    """Draw relation weights between the boxes of consecutive frames."""
    rng = np.random.default_rng(seed)
    return [rng.exponential(1 / 2775, (len(a['scores']), len(b['scores']))) for a, b in zip(frames, frames[1:])]


def time_linking(repeats: int, seed: int = 0, quick: bool = False) -> dict[str, Any]:
    """Time the box linking of a video, on one core.

    Args:
        repeats (int): Rounds that count.
        seed (int): Seed of the boxes.
        quick (bool): Whether to leave out plain Python and long videos.

    Returns:
        dict[str, dict]: Summaries, by contender and video.

    Raises:
        ValueError: Seq-NMS and its plain version disagree.
    """
    linkers = (BoxLinkingWithRelations(), TubeLinking(), SeqNMS())
    videos = {'300 frames x 120 boxes, 30 classes': (300, 120, 30), '300 frames x 100 boxes, 1 class': (300, 100, 1)}
    if not quick:
        videos.update({f'{num} frames x 30 boxes, 1 class': (num, 30, 1) for num in (500, 1000, 2000, 4000)})
    result: dict[str, Any] = dict()
    for name, shape in videos.items():
        print(f'linking: {name}', flush=True)
        frames = random_video(*shape, seed)
        relations = random_relations(frames, seed)
        contenders = {
            f'{type(linker).__name__}, {name}': lambda linker=linker: linker.link(frames, relations)
            for linker in linkers
        }
        if shape[0] == 300 and not quick:
            _check_seq_nms(frames)
            contenders[f'plain Seq-NMS, {name}'] = lambda: plain_seq_nms(frames)
        result.update(take_turns(contenders, repeats))
    return result


def _check_seq_nms(frames: list[dict]) -> None:
    """Refuse to time a contender that computes something else."""
    linker: BaseBoxLinker = SeqNMS()
    for t, (a, b) in enumerate(zip(linker.link(frames), plain_seq_nms(frames))):
        if not np.allclose(a, b, rtol=0, atol=1e-9):
            raise ValueError(f'frame {t}: SeqNMS and plain Seq-NMS disagree')
