# Copyright (c) mmrdn contributors. All rights reserved.
"""What the models of the public MEGA repository compute, in float64.

Written from the list of its conventions, formula by formula, straight on a state dict in its
layout; nothing here calls mmrdn, mmdet or mmcv.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from helpers.mega import FEATURES, PREDICTOR

MEANS = (102.9801, 115.9465, 122.7717)  # BGR


def doubles(state):
    return {key: value.double() for key, value in state.items()}


# Images and backbone.


def resize(frame, shorter=600, longest=1000):
    """uint8 BGR (H, W, 3), as torchvision does it with Pillow."""
    h, w = frame.shape[:2]
    size = shorter
    if max(h, w) / min(h, w) * size > longest:
        size = int(round(longest * min(h, w) / max(h, w)))
    if w < h:
        ow, oh = size, int(size * h / w)
    else:
        ow, oh = int(size * w / h), size
    channels = [np.asarray(Image.fromarray(frame[..., c]).resize((ow, oh), Image.BILINEAR)) for c in range(3)]
    return np.stack(channels, -1)


def image(frame):
    """(1, 3, H, W), network input."""
    pixels = frame.astype(np.float64) - MEANS
    return torch.from_numpy(pixels).permute(2, 0, 1)[None]


def frozen_norm(p, name, x):
    scale = p[f'{name}.weight'] / p[f'{name}.running_var'].sqrt()
    shift = p[f'{name}.bias'] - p[f'{name}.running_mean'] * scale
    return x * scale[:, None, None] + shift[:, None, None]


def bottleneck(p, name, x, stride, dilation):
    """Stride in the first 1x1 convolution."""
    out = F.conv2d(x, p[f'{name}.conv1.weight'], stride=stride)
    out = frozen_norm(p, f'{name}.bn1', out).relu()
    out = F.conv2d(out, p[f'{name}.conv2.weight'], padding=dilation, dilation=dilation)
    out = frozen_norm(p, f'{name}.bn2', out).relu()
    out = frozen_norm(p, f'{name}.bn3', F.conv2d(out, p[f'{name}.conv3.weight']))
    if f'{name}.downsample.0.weight' in p:
        x = F.conv2d(x, p[f'{name}.downsample.0.weight'], stride=stride)
        x = frozen_norm(p, f'{name}.downsample.1', x)
    return (out + x).relu()


def stage(p, name, x, stride, dilation=1):
    i = 0
    while f'{name}.{i}.conv1.weight' in p:
        x = bottleneck(p, f'{name}.{i}', x, stride if i == 0 else 1, dilation)
        i += 1
    return x


def conv4(p, x):
    body = 'backbone.body.'
    x = F.conv2d(x, p[f'{body}stem.conv1.weight'], stride=2, padding=3)
    x = frozen_norm(p, f'{body}stem.bn1', x).relu()
    x = F.max_pool2d(x, 3, 2, 1)
    for i, stride in ((1, 1), (2, 2), (3, 2)):
        x = stage(p, f'{body}layer{i}', x, stride)
    return x


def conv5(p, x):
    """Return the maps that the RoI layer looks at."""
    x = stage(p, f'{FEATURES}head.layer4', x, stride=1, dilation=2)
    if f'{FEATURES}conv.weight' in p:
        x = F.conv2d(x, p[f'{FEATURES}conv.weight'], p[f'{FEATURES}conv.bias']).relu()
    return x


# Boxes: width = x2 - x1 + 1.


def decode(box, delta, weights, size):
    """One box; clipped to the image of (height, width)."""
    x1, y1, x2, y2 = (float(v) for v in box)
    dx, dy, dw, dh = (float(v) / w for v, w in zip(delta, weights))
    dw, dh = (min(v, math.log(1000 / 16)) for v in (dw, dh))
    w, h = x2 - x1 + 1, y2 - y1 + 1
    cx, cy = x1 + 0.5 * w + dx * w, y1 + 0.5 * h + dy * h
    w, h = math.exp(dw) * w, math.exp(dh) * h
    x = (cx - 0.5 * w, cx + 0.5 * w - 1)
    y = (cy - 0.5 * h, cy + 0.5 * h - 1)
    x1, x2 = (min(max(v, 0.0), size[1] - 1.0) for v in x)
    y1, y2 = (min(max(v, 0.0), size[0] - 1.0) for v in y)
    return [x1, y1, x2, y2]


def iou(a, b):
    w = min(a[2], b[2]) - max(a[0], b[0]) + 1
    h = min(a[3], b[3]) - max(a[1], b[1]) + 1
    if w <= 0 or h <= 0:
        return 0.0
    areas = [(c[2] - c[0] + 1) * (c[3] - c[1] + 1) for c in (a, b)]
    return w * h / (sum(areas) - w * h)


def nms(boxes, scores, threshold, limit=None):
    """Rows that stay, by descending score."""
    kept = []
    for i in sorted(range(len(scores)), key=lambda i: -scores[i]):
        if len(kept) == limit:
            break
        if all(iou(boxes[i], boxes[j]) <= threshold for j in kept):
            kept.append(i)
    return kept


def proposals(p, x, size, before, after):
    """RPN on conv4: boxes and objectness, highest first."""
    x = F.conv2d(x, p['rpn.head.conv.weight'], p['rpn.head.conv.bias'], padding=1).relu()
    logits, deltas = (
        F.conv2d(x, p[f'rpn.head.{name}.weight'], p[f'rpn.head.{name}.bias']) for name in ('cls_logits', 'bbox_pred')
    )
    cells = p['rpn.anchor_generator.cell_anchors.0'].numpy()
    found = []
    for y in range(x.shape[2]):
        for col in range(x.shape[3]):
            shift = np.array([16 * col, 16 * y, 16 * col, 16 * y])
            for a, cell in enumerate(cells):
                found.append(
                    (
                        float(logits[0, a, y, col].sigmoid()),
                        decode(cell + shift, deltas[0, 4 * a : 4 * a + 4, y, col], (1, 1, 1, 1), size),
                    )
                )
    found.sort(key=lambda item: -item[0])
    scores, boxes = zip(*found[:before])
    kept = nms(boxes, scores, 0.7, after)
    return [boxes[i] for i in kept], [scores[i] for i in kept]


def roi_align(x, box, bins=7, stride=16):
    """Pool one box: (channels, bins, bins); no half-pixel shift, as many samples
    a bin as it has pixels, rounded up."""
    x = x[0].numpy()
    rows, cols = x.shape[1:]
    x1, y1, x2, y2 = (v / stride for v in box)
    w, h = max(x2 - x1, 1.0), max(y2 - y1, 1.0)
    nx, ny = math.ceil(w / bins), math.ceil(h / bins)

    def sample(y, c):
        if y < -1 or y > rows or c < -1 or c > cols:
            return np.zeros(len(x))
        y, c = max(y, 0.0), max(c, 0.0)
        y0, c0 = min(int(y), rows - 1), min(int(c), cols - 1)
        y, c = (float(y0) if y0 == rows - 1 else y, float(c0) if c0 == cols - 1 else c)
        y3, c3 = min(y0 + 1, rows - 1), min(c0 + 1, cols - 1)
        fy, fc = y - y0, c - c0
        return (
            (1 - fy) * (1 - fc) * x[:, y0, c0]
            + (1 - fy) * fc * x[:, y0, c3]
            + fy * (1 - fc) * x[:, y3, c0]
            + fy * fc * x[:, y3, c3]
        )

    out = np.zeros((len(x), bins, bins))
    for i in range(bins):
        for j in range(bins):
            for a in range(ny):
                for b in range(nx):
                    out[:, i, j] += sample(y1 + h / bins * (i + (a + 0.5) / ny), x1 + w / bins * (j + (b + 0.5) / nx))
    return out / (nx * ny)


def fc(p, name, x):
    return x @ p[f'{name}.weight'].T + p[f'{name}.bias']


def first_fc(p, x, boxes):
    """RoI features, behind the first fc and ReLU: (n, fc)."""
    rois = np.stack([roi_align(x, box).ravel() for box in boxes])
    name = 'fc6' if f'{FEATURES}fc6.weight' in p else 'fcs.0'
    return fc(p, FEATURES + name, torch.from_numpy(rois)).relu()


# Relation.


def geometry(box, support):
    """64 numbers of a pair: dx, dy, dw, dh; of each, sines then cosines."""

    def parts(b):
        return ((b[0] + b[2]) / 2, (b[1] + b[3]) / 2, b[2] - b[0] + 1, b[3] - b[1] + 1)

    cx, cy, w, h = parts(box)
    sx, sy, sw, sh = parts(support)
    components = (
        math.log(abs(cx - sx) / w + 1e-3),
        math.log(abs(cy - sy) / h + 1e-3),
        math.log(w / sw),
        math.log(h / sh),
    )
    out = []
    for component in components:
        angles = [100 * component / 1000 ** (k / 8) for k in range(8)]
        out += [math.sin(a) for a in angles] + [math.cos(a) for a in angles]
    return out


def relation(p, k, heads, x, boxes, supports, support_boxes):
    """Features plus what module k makes of the supports."""
    encoding = torch.tensor([[geometry(b, s) for s in support_boxes] for b in boxes], dtype=torch.double)  # (n, m, 64)
    weight, bias = (p[f'{FEATURES}Wgs.{k}.{name}'] for name in ('weight', 'bias'))
    position = (encoding @ weight[:, :, 0, 0].T + bias).relu() + 1e-6
    query, key = (fc(p, f'{FEATURES}{name}.{k}', feats) for name, feats in (('Wqs', x), ('Wks', supports)))
    value = p[f'{FEATURES}Wvs.{k}.weight'][:, :, 0, 0]
    out = x + p[f'{FEATURES}Wvs.{k}.bias']
    dims = x.shape[1] // heads
    for m in range(heads):
        rows = slice(m * dims, m * dims + dims)
        logits = query[:, rows] @ key[:, rows].T / math.sqrt(dims)
        omega = torch.softmax(position[..., m].log() + logits, 1)  # (n, m)
        out[:, rows] += (omega @ supports) @ value[rows].T
    return out


def related(p, heads, x, boxes, pool, advanced):
    """Both stages, or the basic one.

    Args:
        pool (list): (features, boxes) of each frame of the window.
        advanced (int): Supports of each frame for the advanced stage.
    """
    supports = torch.cat([feats for feats, _ in pool])
    support_boxes = [box for _, boxes in pool for box in boxes]
    x = relation(p, 0, heads, x, boxes, supports, support_boxes)
    x = fc(p, f'{FEATURES}fcs.1', x).relu()
    x = relation(p, 1, heads, x, boxes, supports, support_boxes)
    if f'{FEATURES}fcs.2.weight' not in p:
        return x
    chosen = torch.cat([feats[:advanced] for feats, _ in pool])
    chosen_boxes = [box for _, boxes in pool for box in boxes[:advanced]]
    chosen = relation(p, 2, heads, chosen, chosen_boxes, supports, support_boxes)
    chosen = fc(p, f'{FEATURES}fcs.2', chosen).relu()
    return relation(p, 3, heads, x, boxes, chosen, chosen_boxes)


# Detections.


def detections(p, x, boxes, size, limit):
    """(label, score, box) of one frame, in the pixels of the input."""
    probabilities = torch.softmax(fc(p, f'{PREDICTOR}cls_score', x), 1)
    deltas = fc(p, f'{PREDICTOR}bbox_pred', x)
    found = []
    for label in range(1, probabilities.shape[1]):  # row 0 is the background
        rows = [i for i in range(len(boxes)) if probabilities[i, label] > 0.001]
        scores = [float(probabilities[i, label]) for i in rows]
        decoded = [decode(boxes[i], deltas[i, 4 * label : 4 * label + 4], (10, 10, 5, 5), size) for i in rows]
        found += [(label - 1, scores[i], decoded[i]) for i in nms(decoded, scores, 0.5)]
    return sorted(found, key=lambda item: -item[1])[:limit]


def detect(state, frames, heads, temporal_range, before, after, supports, advanced, limit, **size):
    """Detections of each frame of a video, in the pixels of the frame.

    Args:
        state (dict[str, Tensor]): In MEGA's layout.
        frames (list[np.ndarray]): uint8 BGR (H, W, 3).
        heads (int): Of a relation module.
        temporal_range (int): T.
        before, after (int): Proposals before and after NMS.
        supports, advanced (int): Of each frame.
        limit (int): Detections of a frame.
        **size: Of :func:`resize`.
    """
    p = doubles(state)
    extracted = []
    for frame in frames:
        pixels = resize(frame, **size)
        c4 = conv4(p, image(pixels))
        boxes, _ = proposals(p, c4, pixels.shape[:2], before, after)
        x = first_fc(p, conv5(p, c4), boxes)
        # Support frames have NMS of their own, with a lower limit.
        own, _ = proposals(p, c4, pixels.shape[:2], before, supports)
        assert len(own) == supports  # the conventions count on that many
        extracted.append((x, boxes, pixels.shape[:2], (x[: len(own)], own)))
    results = []
    for t, (x, boxes, shape, _) in enumerate(extracted):
        if f'{FEATURES}fc7.weight' in p:
            x = fc(p, f'{FEATURES}fc7', x).relu()
        else:
            window = [
                extracted[min(max(t + k, 0), len(frames) - 1)][3] for k in range(-temporal_range, temporal_range + 1)
            ]
            x = related(p, heads, x, boxes, window, advanced)
        ratio = [a / b for a, b in zip(frames[t].shape, shape)]
        results.append(
            [
                (label, score, [v * ratio[1 - i % 2] for i, v in enumerate(box)])
                for label, score, box in detections(p, x, boxes, shape, limit)
            ]
        )
    return results
