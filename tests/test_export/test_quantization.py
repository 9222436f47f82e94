# Copyright (c) mmrdn contributors. All rights reserved.
"""Convolutions in int8."""

import json

import numpy as np
import pytest

from helpers.exported import clip, need_onnx
from helpers.videos import tiny_inferencer, write_mp4
from mmrdn.export.onnx_directory import export_onnx

need_onnx()

import onnx  # noqa: E402
from onnx import numpy_helper  # noqa: E402


@pytest.fixture(scope='module')
def quantized(exported, tmp_path_factory):
    """The same detector in fp32 and in int8."""
    (inferencer, exact), folder = exported, tmp_path_factory.mktemp('quantized')
    frames = write_mp4(folder / 'frames.mp4', clip(8))
    options = dict(model=inferencer.model, calibrate=frames, sizes=['48x64'])
    return dict(fp32=exact, int8=export_onnx(inferencer.cfg, out=folder / 'int8', **options))


def weights(path):
    return {x.name: numpy_helper.to_array(x) for x in onnx.load(path).graph.initializer}


def test_weights_are_rounded_to_127_steps_of_each_channel(quantized):
    before, after = (weights(quantized[name] / 'extract.onnx') for name in ('fp32', 'int8'))
    names = [name.removesuffix('_quantized') for name in after if name.endswith('_quantized') and 'bias' not in name]
    convs = [name for name in names if name in before and before[name].ndim == 4]
    assert len(convs) == 1 + 12 + 2 + 1  # stem, blocks, beside them, neck
    for name in convs:
        scale = after[f'{name}_scale'].reshape(-1, 1, 1, 1)
        largest = np.abs(before[name]).max(axis=(1, 2, 3), keepdims=True)
        np.testing.assert_allclose(scale, largest / 127, rtol=1e-5)
        error = np.abs(after[f'{name}_quantized'] * scale - before[name])
        assert (error <= scale / 2 * 1.001).all()


def test_relation_and_heads_stay_in_fp32(quantized):
    ours, theirs = (weights(quantized[name] / 'relate.onnx') for name in ('fp32', 'int8'))
    assert ours.keys() == theirs.keys() and all((ours[name] == theirs[name]).all() for name in ours)
    manifest = json.loads((quantized['int8'] / 'manifest.json').read_text())
    assert manifest['int8'] is True and 0 < manifest['compared']['48x64'] <= 1
    graph = onnx.load(quantized['int8'] / 'extract.onnx').graph
    assert {node.domain for node in graph.node} <= {'', 'ai.onnx'}


def test_close_to_fp32(quantized):
    from mmrdn_runtime import VideoDetector

    exact, rough = (list(VideoDetector(quantized[name]).stream(clip(5))) for name in ('fp32', 'int8'))
    for found, right, _ in zip(rough, exact, clip(5), strict=True):
        best = right.scores.argmax()
        same = (found.labels == right.labels[best]) & (np.abs(found.bboxes - right.bboxes[best]).max(1) < 3)
        assert same.any() and np.abs(found.scores[same] - right.scores[best]).min() < 0.05


@pytest.mark.parametrize(
    ('frames', 'error', 'message'),
    [('none.mp4', FileNotFoundError, 'none.mp4'), ('empty', (ValueError, FileNotFoundError), 'empty')],
)
def test_bad_frames(frames, error, message, tmp_path):
    (tmp_path / 'empty').mkdir()
    inferencer = tiny_inferencer()
    with pytest.raises(error, match=message) as raised:
        export_onnx(inferencer.cfg, out=tmp_path / 'out', model=inferencer.model, calibrate=tmp_path / frames)
    assert '\n' not in str(raised.value) and [path.name for path in tmp_path.iterdir()] == ['empty']
