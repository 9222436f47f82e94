# Copyright (c) mmrdn contributors. All rights reserved.
"""Seq-NMS in plain Python, as its public implementations are written.

The baseline of ``tools/analysis_tools/benchmark.py``: links are found once, and after each sequence
that is taken the best sums are searched anew through the whole video. Same scores as
:class:`mmrdn.post_processing.SeqNMS`.
"""

from collections.abc import Sequence

Box = Sequence[float]


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
    boxes = [[[float(v) for v in box] for box in f['bboxes']] for f in frames]
    scores = [[float(v) for v in f['scores']] for f in frames]
    labels = [[int(v) for v in f['labels']] for f in frames]
    new = [list(values) for values in scores]
    for label in sorted({x for values in labels for x in values}):
        alive = [
            [i for i, x in enumerate(values) if x == label and scores[t][i] > 0] for t, values in enumerate(labels)
        ]
        links: dict[tuple[int, int], list[int]] = {
            (t, i): [j for j in alive[t + 1] if plain_iou(boxes[t][i], boxes[t + 1][j]) >= min_iou]
            for t in range(len(frames) - 1)
            for i in alive[t]
        }
        while any(alive):
            path = _best_sequence(alive, scores, links)
            mean = sum(scores[t][i] for t, i in path) / len(path)
            for t, i in path:
                new[t][i] = mean
                kept = []
                for j in alive[t]:
                    if j == i:
                        continue
                    if plain_iou(boxes[t][i], boxes[t][j]) >= nms_iou:
                        new[t][j] = 0.0
                    else:
                        kept.append(j)
                alive[t] = kept
    return new


def _best_sequence(
    alive: list[list[int]], scores: list[list[float]], links: dict[tuple[int, int], list[int]]
) -> list[tuple[int, int]]:
    """Return the boxes (t, i) of the linked sequence with the largest sum."""
    sums: dict[tuple[int, int], float] = {}
    following: dict[tuple[int, int], int] = {}
    best, start = -1.0, None
    for t in range(len(alive) - 1, -1, -1):
        for i in reversed(alive[t]):
            ahead, to = 0.0, None
            for j in links.get((t, i), ()):
                if (t + 1, j) in sums and (to is None or sums[t + 1, j] > ahead):
                    ahead, to = sums[t + 1, j], j
            sums[t, i] = scores[t][i] + ahead
            if to is not None:
                following[t, i] = to
            if sums[t, i] >= best:
                best, start = sums[t, i], (t, i)
    path = [start]
    while path[-1] in following:
        path.append((path[-1][0] + 1, following[path[-1]]))
    return path
