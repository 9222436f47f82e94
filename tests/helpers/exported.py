# Copyright (c) mmrdn contributors. All rights reserved.
"""Exported tiny detectors, and the runtime that reads them."""

import subprocess
import sys

import numpy as np
import pytest

from helpers.rdn import cascade_config, model_config, tiny_model
from helpers.tools import ROOT
from helpers.videos import noise, tiny_inferencer

# The command where only what mmrdn-runtime asks for is installed, and mmrdn has no __init__.py.
COMMAND = """
import sys, types

ASKED_FOR = 'numpy onnxruntime av cv2 PIL mmrdn mmrdn_runtime scipy numba'.split()
THEIRS = 'packaging google flatbuffers llvmlite'.split()


class Refusal:
    @staticmethod
    def find_spec(name, path=None, target=None):
        top = name.partition('.')[0]
        known = sys.stdlib_module_names | {*ASKED_FOR, *THEIRS}
        if top not in known and not top.startswith('_sysconfigdata'):
            raise ImportError(f'{name} is not installed')


sys.meta_path.insert(0, Refusal)
root = sys.argv.pop(1)
sys.modules['mmrdn'] = types.ModuleType('mmrdn')
sys.modules['mmrdn'].__path__ = [root + '/mmrdn']
sys.path.insert(0, root + '/runtime')
from mmrdn_runtime.command import main
main()
"""


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


def fpn_model(config=None):
    """A tiny detector, or that of a config, with three levels of maps."""
    config = config or model_config()
    detector = config.detector
    detector.backbone.update(strides=(1, 2, 2), dilations=(1, 1, 1), out_indices=(0, 1, 2))
    detector.neck = dict(type='FPN', in_channels=[8, 16, 32], out_channels=16, num_outs=3)
    detector.rpn_head.anchor_generator.update(strides=[4, 8, 16])
    extractors = detector.roi_head.bbox_roi_extractor
    for extractor in extractors if isinstance(extractors, list) else [extractors]:
        extractor.update(featmap_strides=[4, 8, 16], finest_scale=12)
    return tiny_model(config)


def swin_model():
    """A tiny detector on a Swin Transformer with FPN, strides 4 and 8; its windows are no divisors of maps."""
    config = model_config()
    detector = config.detector
    detector.backbone = dict(
        type='SwinTransformer',
        embed_dims=16,
        depths=(1, 2),
        num_heads=(1, 2),
        window_size=5,
        strides=(4, 2),
        out_indices=(0, 1),
    )
    detector.neck = dict(type='FPN', in_channels=[16, 32], out_channels=16, num_outs=2)
    detector.rpn_head.anchor_generator.update(strides=[4, 8])
    detector.roi_head.bbox_roi_extractor.update(featmap_strides=[4, 8], finest_scale=12)
    return tiny_model(config)


def cascade_model(**kwargs):
    """A tiny cascade of three stages."""
    return tiny_model(cascade_config(**kwargs))


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


def assert_plain_onnx(path):
    """A file has operators of ONNX alone, and no fp64; return its graph."""
    import onnx

    graph = onnx.load(path).graph
    assert {node.domain for node in graph.node} <= {'', 'ai.onnx'}
    double = onnx.TensorProto.DOUBLE
    assert [x.name for x in graph.initializer if x.data_type == double] == []
    assert [x.name for x in graph.value_info if x.type.tensor_type.elem_type == double] == []
    return graph


def clip(length, size=(48, 64), seed=0):
    """Frames that differ, of a smooth texture."""
    return [frame // 2 + 60 for frame in noise(length, size, seed)]


def run_runtime(folder, *args, command=COMMAND):
    """Run mmrdn-runtime where only what it asks for is installed."""
    return subprocess.run(
        [sys.executable, '-c', command, str(ROOT), *args], capture_output=True, text=True, timeout=120, cwd=folder
    )
