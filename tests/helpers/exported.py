# Copyright (c) mmrdn contributors. All rights reserved.
"""Exported tiny detectors, and the runtime that reads them."""

import sys

import numpy as np
import pytest

from helpers.rdn import model_config, tiny_model
from helpers.tools import ROOT
from helpers.videos import noise, tiny_inferencer

sys.path.insert(0, str(ROOT / 'runtime'))


def need_onnx():
    """Skip where the packages of requirements/deploy.txt are not installed."""
    for name in ('onnx', 'onnxscript', 'onnxruntime'):
        pytest.importorskip(name, reason=f'{name} is not installed (requirements/deploy.txt)')


def export_tiny(out, model=None, sizes=()):
    """The detector of :func:`tiny_inferencer` and the directory that it was exported to."""
    from mmrdn.export.onnx_directory import export_onnx

    inferencer = tiny_inferencer(model=model)
    export_onnx(inferencer.cfg, out=out, model=inferencer.model, sizes=sizes)
    return inferencer


def fpn_model():
    """A tiny detector with three levels of maps."""
    config = model_config()
    detector = config.detector
    detector.backbone.update(strides=(1, 2, 2), dilations=(1, 1, 1), out_indices=(0, 1, 2))
    detector.neck = dict(type='FPN', in_channels=[8, 16, 32], out_channels=16, num_outs=3)
    detector.rpn_head.anchor_generator.update(strides=[4, 8, 16])
    detector.roi_head.bbox_roi_extractor.update(featmap_strides=[4, 8, 16], finest_scale=12)
    return tiny_model(config)


def assert_same_results(results, expected, boxes=0.02, scores=1e-4):
    """Results of the runtime are those of ``VideoInferencer``, whose order of near equals may differ."""
    assert len(results) == len(expected)
    for found, sample in zip(results, expected):
        right = sample.pred_det_instances
        assert found.frame_id == sample.frame_id
        assert len(found) == len(right.scores) > 0
        order, others = (
            np.lexsort((np.round(x.bboxes[:, 0], 1), np.round(x.scores, 3), x.labels))
            for x in (found, right.cpu().numpy())
        )
        np.testing.assert_array_equal(found.labels[order], right.labels.numpy()[others])
        np.testing.assert_allclose(found.scores[order], right.scores.numpy()[others], atol=scores)
        np.testing.assert_allclose(found.bboxes[order], right.bboxes.numpy()[others], atol=boxes)


def clip(length, size=(48, 64), seed=0):
    """Frames that differ, of a smooth texture."""
    return [frame // 2 + 60 for frame in noise(length, size, seed)]
