# Copyright (c) mmrdn contributors. All rights reserved.
"""RoIAlign, RoIPool and NMS as loops over numbers, from their definitions, in float64."""

import math

import numpy as np


def bilinear(image, y, x):
    """(C,) of (C, H, W) at a point; zero more than a pixel outside, border pixels within it."""
    _, height, width = image.shape
    if y < -1 or y > height or x < -1 or x > width:
        return np.zeros(len(image))
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    top, left = math.floor(y), math.floor(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    dy, dx = y - top, x - left
    return (
        image[:, top, left] * (1 - dy) * (1 - dx)
        + image[:, top, right] * (1 - dy) * dx
        + image[:, bottom, left] * dy * (1 - dx)
        + image[:, bottom, right] * dy * dx
    )


def roi_align(feats, rois, size, scale, ratio, aligned, mode='avg'):
    """(n, C, h, w) of feats (B, C, H, W)."""
    feats, offset = np.asarray(feats, np.float64), 0.5 if aligned else 0.0
    out = np.zeros((len(rois), feats.shape[1], *size))
    for n, (image, *corners) in enumerate(np.asarray(rois, np.float64).tolist()):
        x1, y1, x2, y2 = (corner * scale - offset for corner in corners)
        width, height = x2 - x1, y2 - y1
        if not aligned:
            width, height = max(width, 1), max(height, 1)
        bin_h, bin_w = height / size[0], width / size[1]
        rows = ratio if ratio > 0 else math.ceil(bin_h)
        columns = ratio if ratio > 0 else math.ceil(bin_w)
        for p in range(size[0]):
            for q in range(size[1]):
                samples = [
                    bilinear(
                        feats[int(image)],
                        y1 + p * bin_h + (i + 0.5) * bin_h / rows,
                        x1 + q * bin_w + (j + 0.5) * bin_w / columns,
                    )
                    for i in range(rows)
                    for j in range(columns)
                ]
                if samples:
                    out[n, :, p, q] = np.mean(samples, 0) if mode == 'avg' else np.max(samples, 0)
    return out


def roi_pool(feats, rois, size, scale):
    """(n, C, h, w) maxima over whole pixels."""
    feats = np.asarray(feats, np.float64)
    out = np.zeros((len(rois), feats.shape[1], *size))
    for n, (image, x1, y1, x2, y2) in enumerate(np.asarray(rois, np.float64).tolist()):
        x1, y1, x2, y2 = x1 * scale, y1 * scale, (x2 + 1) * scale, (y2 + 1) * scale
        for p in range(size[0]):
            for q in range(size[1]):
                top = max(math.floor(y1 + p * (y2 - y1) / size[0]), 0)
                bottom = min(math.ceil(y1 + (p + 1) * (y2 - y1) / size[0]), feats.shape[2])
                left = max(math.floor(x1 + q * (x2 - x1) / size[1]), 0)
                right = min(math.ceil(x1 + (q + 1) * (x2 - x1) / size[1]), feats.shape[3])
                if top < bottom and left < right and x2 > x1 and y2 > y1:
                    out[n, :, p, q] = feats[int(image), :, top:bottom, left:right].max((1, 2))
    return out


def iou(a, b, offset=0):
    """IoU of two boxes, xyxy, in float32 as detectors compute it."""
    a, b, offset = np.float32(a), np.float32(b), np.float32(offset)
    width = max(np.float32(0), min(a[2], b[2]) - max(a[0], b[0]) + offset)
    height = max(np.float32(0), min(a[3], b[3]) - max(a[1], b[1]) + offset)
    areas = [(x[2] - x[0] + offset) * (x[3] - x[1] + offset) for x in (a, b)]
    with np.errstate(invalid='ignore'):
        return width * height / (areas[0] + areas[1] - width * height)


def nms(boxes, scores, threshold, offset=0):
    """Indices that stay, best first; among equals the lower index first."""
    kept = []
    for i in sorted(range(len(scores)), key=lambda i: (-scores[i], i)):
        if not any(iou(boxes[j], boxes[i], offset) > np.float32(threshold) for j in kept):
            kept.append(i)
    return kept
