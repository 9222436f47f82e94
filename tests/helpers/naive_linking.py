# Copyright (c) mmrdn contributors. All rights reserved.
"""Box linking by enumerating every path: slow, plain Python, float64."""

import itertools
import math


def iou(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(x[2] - x[0]) * (x[3] - x[1]) for x in (a, b)]
    return width * height / (sum(areas) - width * height)


def _runs(alive):
    """Stretches of consecutive frames that all have boxes."""
    runs, run = [], []
    for t, boxes in enumerate([*alive, []]):
        if boxes:
            run.append(t)
        elif run:
            runs.append(run)
            run = []
    return runs


def tube_linking(frames, relations=None):
    """Paper Eq. 8-9: new scores, and the tracks as lists of (t, i)."""
    scores = [list(map(float, f['scores'])) for f in frames]
    found = []
    labels = {int(x) for f in frames for x in f['labels']}
    for label in labels:
        alive = [[i for i, x in enumerate(f['labels']) if x == label] for f in frames]
        while True:
            run = next((r for r in _runs(alive) if len(r) > 1), None)
            if run is None:
                break
            best, path = -1.0, None
            for indices in itertools.product(*(alive[t] for t in run)):
                total = 0.0
                for t, i, j in zip(run, indices, indices[1:]):
                    a, b = frames[t], frames[t + 1]
                    s = float(a['scores'][i]) + float(b['scores'][j]) + iou(a['bboxes'][i], b['bboxes'][j])
                    if relations is not None:
                        s *= math.exp(float(relations[t][i][j]))
                    total += s
                if total > best + 1e-12:  # ties: the first in order wins
                    best, path = total, list(zip(run, indices))
            own = sorted((float(frames[t]['scores'][i]) for t, i in path), reverse=True)
            top = own[: math.ceil(len(own) / 2)]
            for t, i in path:
                scores[t][i] += sum(top) / len(top)
                alive[t].remove(i)
            found.append(path)
    return scores, found


def _sequences(frames, alive, min_iou, max_gap=0):
    """Every sequence of linked boxes."""

    def grow(path):
        yield path
        t, i = path[-1]
        for u in range(t + 1, min(t + 2 + max_gap, len(frames))):
            for j in alive[u]:
                if iou(frames[t]['bboxes'][i], frames[u]['bboxes'][j]) >= min_iou:
                    yield from grow(path + [(u, j)])

    for t, boxes in enumerate(alive):
        for i in boxes:
            yield from grow([(t, i)])


def seq_nms(frames, min_iou=0.5, nms_iou=0.3, reduction='mean'):
    """Seq-NMS: new scores."""
    scores = [list(map(float, f['scores'])) for f in frames]
    labels = {int(x) for f in frames for x in f['labels']}
    for label in labels:
        alive = [[i for i, x in enumerate(f['labels']) if x == label and f['scores'][i] > 0] for f in frames]
        while any(alive):
            best, path = -1.0, None
            for candidate in _sequences(frames, alive, min_iou):
                total = sum(float(frames[t]['scores'][i]) for t, i in candidate)
                if total > best + 1e-12:
                    best, path = total, candidate
            own = [float(frames[t]['scores'][i]) for t, i in path]
            new = max(own) if reduction == 'max' else sum(own) / len(own)
            for t, i in path:
                scores[t][i] = new
                alive[t].remove(i)
                box = frames[t]['bboxes'][i]
                for j in list(alive[t]):
                    if iou(box, frames[t]['bboxes'][j]) >= nms_iou:
                        scores[t][j] = 0.0
                        alive[t].remove(j)
    return scores


def gated_tube_linking(frames, min_iou, max_gap):
    """Tube linking with both options: the largest sum among all sequences."""
    scores = [list(map(float, f['scores'])) for f in frames]
    for label in {int(x) for f in frames for x in f['labels']}:
        alive = [[i for i, x in enumerate(f['labels']) if x == label] for f in frames]
        while True:
            best, path = -1.0, None
            for candidate in _sequences(frames, alive, min_iou, max_gap):
                total = 0.0
                for (t, i), (u, j) in zip(candidate, candidate[1:]):
                    a, b = frames[t], frames[u]
                    total += float(a['scores'][i]) + float(b['scores'][j]) + iou(a['bboxes'][i], b['bboxes'][j])
                if len(candidate) > 1 and total > best + 1e-12:
                    best, path = total, candidate
            if path is None:
                break
            own = sorted((float(frames[t]['scores'][i]) for t, i in path), reverse=True)
            top = own[: math.ceil(len(own) / 2)]
            for t, i in path:
                scores[t][i] += sum(top) / len(top)
                alive[t].remove(i)
    return scores


def research_tube_linking(frames):
    """Tube linking, each track by a whole Viterbi search through its run."""
    scores = [list(map(float, f['scores'])) for f in frames]
    for label in {int(x) for f in frames for x in f['labels']}:
        alive = [[i for i, x in enumerate(f['labels']) if x == label] for f in frames]
        while True:
            run = next((r for r in _runs(alive) if len(r) > 1), None)
            if run is None:
                break
            best, ahead = {(run[-1], i): 0.0 for i in alive[run[-1]]}, {}
            for t in reversed(run[:-1]):
                a, b = frames[t], frames[t + 1]
                for i in alive[t]:
                    sums = [
                        float(a['scores'][i])
                        + float(b['scores'][j])
                        + iou(a['bboxes'][i], b['bboxes'][j])
                        + best[t + 1, j]
                        for j in alive[t + 1]
                    ]
                    best[t, i] = max(sums)
                    ahead[t, i] = alive[t + 1][sums.index(best[t, i])]
            i = max(alive[run[0]], key=lambda i: (best[run[0], i], -i))
            path = [(run[0], i)]
            while path[-1] in ahead:
                path.append((path[-1][0] + 1, ahead[path[-1]]))
            own = sorted((float(frames[t]['scores'][i]) for t, i in path), reverse=True)
            top = own[: math.ceil(len(own) / 2)]
            for t, i in path:
                scores[t][i] += sum(top) / len(top)
                alive[t].remove(i)
    return scores
