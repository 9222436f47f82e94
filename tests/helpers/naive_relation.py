# Copyright (c) mmrdn contributors. All rights reserved.
"""The paper's Eq. 1-7 in plain float64 loops, to check the real thing by.

Written from the paper and DESIGN's reading of it, with lists and ``math`` only; nothing here calls
mmrdn.
"""

import math

import numpy as np


def geometry_encoding(box, support, dims=64, wave_length=1000.0, offset=0.0):

    def parts(b):
        return ((b[0] + b[2]) / 2, (b[1] + b[3]) / 2, max(b[2] - b[0] + offset, 1.0), max(b[3] - b[1] + offset, 1.0))

    cx, cy, w, h = parts(box)
    sx, sy, sw, sh = parts(support)
    g = [math.log(abs(cx - sx) / w + 1e-3), math.log(abs(cy - sy) / h + 1e-3), math.log(w / sw), math.log(h / sh)]
    out = []
    waves = dims // 8
    for component in g:
        args = [100.0 * component / wave_length ** (k / waves) for k in range(waves)]
        out += [math.sin(a) for a in args] + [math.cos(a) for a in args]
    return out


def _linear(weight, bias, vector):
    return [sum(w * v for w, v in zip(row, vector)) + b for row, b in zip(weight, bias)]


def _numbers(module):
    return {name: value.detach().double().numpy() for name, value in module.named_parameters()}


def relation(module, feats, boxes, support_feats, support_boxes):
    """Eq. 1-2; returns (N, C) features and (N, M) mean weights."""
    p = _numbers(module)
    heads, dim = module.num_heads, module.embed_dims // module.num_heads
    feats, support_feats = np.asarray(feats), np.asarray(support_feats)
    q = [_linear(p['query_proj.weight'], p['query_proj.bias'], f) for f in feats]
    k = [_linear(p['key_proj.weight'], p['key_proj.bias'], f) for f in support_feats]
    v = [  # without bias: it is added once, below
        _linear(p['value_proj.weight'], np.zeros(len(p['value_proj.bias'])), f) for f in support_feats
    ]
    out, mean = [], []
    for i, feat in enumerate(feats):
        augmented = [feat[c] + p['value_proj.bias'][c] for c in range(len(feat))]
        weights_of_heads = []
        encodings = [
            geometry_encoding(boxes[i], s, module.geometry_dims, module.wave_length, module.pixel_offset)
            for s in support_boxes
        ]
        for m in range(heads):
            logits = []
            for j in range(len(support_feats)):
                geometry = sum(a * b for a, b in zip(p['geometry_proj.weight'][m], encodings[j]))
                geometry = max(geometry + p['geometry_proj.bias'][m], 1e-6)
                appearance = sum(q[i][m * dim + d] * k[j][m * dim + d] for d in range(dim)) / math.sqrt(dim)
                logits.append(math.log(geometry) + appearance)
            top = max(logits)
            exps = [math.exp(a - top) for a in logits]
            weights = [e / sum(exps) for e in exps]
            weights_of_heads.append(weights)
            for d in range(dim):
                augmented[m * dim + d] += sum(w * v[j][m * dim + d] for j, w in enumerate(weights))
        out.append(augmented)
        mean.append([sum(col) / heads for col in zip(*weights_of_heads)])
    return np.array(out), np.array(mean)


def aggregate(aggregator, feats, boxes, pool_feats, pool_boxes, advanced):
    """Eq. 3-7; returns R^r2 (R^r1 without the advanced stage) and omega."""
    x, omega = np.asarray(feats), None
    for k, module in enumerate(aggregator.basic):
        if k > 0:
            h = _numbers(aggregator.basic_transforms[k - 1])
            x = np.array([[max(a, 0.0) for a in _linear(h['weight'], h['bias'], f)] for f in x])
        x, omega = relation(module, x, boxes, pool_feats, pool_boxes)
    if aggregator.advanced:
        a_feats = np.array([pool_feats[i] for i in advanced])
        a_boxes = np.array([pool_boxes[i] for i in advanced])
        a_feats, _ = relation(aggregator.support_relation, a_feats, a_boxes, pool_feats, pool_boxes)
        if hasattr(aggregator, 'support_transform'):
            transform = _numbers(aggregator.support_transform)
            a_feats = np.array(
                [[max(a, 0.0) for a in _linear(transform['weight'], transform['bias'], f)] for f in a_feats]
            )
        x, _ = relation(aggregator.reference_relation, x, boxes, a_feats, a_boxes)
    return x, omega


def top_inds(scores, num):
    """The highest first, the lower index first among equals."""
    return sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:num]
