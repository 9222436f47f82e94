# Copyright (c) mmrdn contributors. All rights reserved.
"""Seq-NMS in plain Python, as its public implementations are written.

The baseline of ``tools/analysis_tools/benchmark.py``: links are found once, and after each sequence
that is taken the whole video is searched again for the best sums. Same scores as
:class:`mmrdn.post_processing.SeqNMS`.
"""

from collections.abc import Sequence

import numpy as np

Box = Sequence[float]
Place = tuple[int, int]  # frame t, box i


def plain_iou(a: Box, b: Box) -> float:
    """Return the IoU of two boxes, xyxy."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    inside = width * height
    areas = [(x[2] - x[0]) * (x[3] - x[1]) for x in (a, b)]
    return inside / (sum(areas) - inside)


def plain_seq_nms(frames: Sequence[dict], min_iou: float = 0.5, nms_iou: float = 0.3) -> list[list[float]]:
    """Compute new scores of the boxes of a video.

    Args:
        frames (Sequence[dict]): ``bboxes`` (n_t, 4), ``scores`` and ``labels`` (n_t,) of each
            frame.
        min_iou (float): IoU that a link needs.
        nms_iou (float): IoU that suppresses boxes of a frame.

    Returns:
        list[list[float]]: New scores of each frame.
    """
    boxes, scores, labels = ([np.asarray(f[key]).tolist() for f in frames] for key in ('bboxes', 'scores', 'labels'))
    new = [list(values) for values in scores]
    for label in sorted({x for values in labels for x in values}):
        alive = [
            [i for i, x in enumerate(values) if x == label and scores[t][i] > 0] for t, values in enumerate(labels)
        ]
        links = {
            (t, i): [(t + 1, j) for j in alive[t + 1] if plain_iou(boxes[t][i], boxes[t + 1][j]) >= min_iou]
            for t in range(len(frames) - 1)
            for i in alive[t]
        }
        while any(alive):
            path = _best_sequence(alive, scores, links)
            mean = sum(scores[t][i] for t, i in path) / len(path)
            for t, i in path:
                hit = [j for j in alive[t] if j != i and plain_iou(boxes[t][i], boxes[t][j]) >= nms_iou]
                alive[t] = [j for j in alive[t] if j != i and j not in hit]
                new[t][i] = mean
                for j in hit:
                    new[t][j] = 0.0
    return new


def _best_sequence(alive: list[list[int]], scores: list[list[float]], links: dict[Place, list[Place]]) -> list[Place]:
    """Return the boxes (t, i) of the linked sequence with the largest sum."""
    sums: dict[Place, float] = {}
    following: dict[Place, Place | None] = {}
    for t in reversed(range(len(alive))):
        for i in reversed(alive[t]):
            ahead = [place for place in links.get((t, i), ()) if place in sums]
            best = max(ahead, key=sums.__getitem__, default=None)
            sums[t, i] = scores[t][i] + (sums[best] if best else 0.0)
            following[t, i] = best
    path = [max(reversed(sums), key=sums.__getitem__)]  # of equal ones the first in the video
    while place := following[path[-1]]:
        path.append(place)
    return path
