# Copyright (c) mmrdn contributors. All rights reserved.
"""``export_onnx.py --int8-weights``: the sizes of its files, and what the stored weights detect.

A weight of 65,536 values or more is stored in 127 steps a channel, one of 1024 or more in fp16.
"""

import numpy as np
import pytest
import torch

from helpers.exported import assert_same_results, clip, need_onnx
from helpers.rdn import model_config, tiny_model
from helpers.tools import call_tool
from helpers.videos import tiny_inferencer
from mmrdn.apis import VideoInferencer

need_onnx()

pytestmark = pytest.mark.slow

FRAMES = clip(5)
PARTS = {
    'extract.onnx': ('detector.backbone', 'detector.neck', 'detector.rpn_head', 'detector.roi_head.bbox_head.shared'),
    'relate.onnx': ('neck', 'detector.roi_head.bbox_head.fc'),
}


def wide_config():
    """The config of :func:`tiny_inferencer` with 256 channels in relation and in RoI features."""
    cfg = tiny_inferencer().cfg
    preprocessor, cfg.model = cfg.model.data_preprocessor, model_config()
    cfg.model.data_preprocessor, cfg.model.neck.in_channels = preprocessor, 256
    detector, head = cfg.model.detector, cfg.model.detector.roi_head
    detector.backbone.norm_cfg = dict(type='BN', eps=0)  # a factor of 1, whether it is part of the weights or not
    detector.neck.out_channels = detector.rpn_head.in_channels = 32
    head.bbox_roi_extractor.out_channels = head.bbox_head.in_channels = 32
    head.bbox_head.fc_out_channels = 256
    return cfg


def is_large(weight):
    return weight.size >= 65536


def step_of(weight):
    """Distance between the values that a weight can have when it is stored, 0 where it stays as it is."""
    if is_large(weight):
        return np.abs(weight).max(axis=tuple(range(1, weight.ndim)), keepdims=True) / np.float32(127)
    return np.spacing(np.abs(weight).astype(np.float16)).astype(np.float32) * (weight.size >= 1024)


def stored_weight(weight):
    """Return the values that a stored weight has."""
    if is_large(weight):
        return np.round(weight / step_of(weight)) * step_of(weight)
    return weight.astype(np.float16).astype(np.float32) if weight.size >= 1024 else weight


def stored_bytes(weight):
    """Number of bytes of a weight: of int8 and a scale for each channel, fp16 or fp32."""
    if is_large(weight):
        return weight.size + 4 * len(weight)
    return (2 if weight.size >= 1024 else 4) * weight.size


def detect(change):
    """Results of PyTorch with weights that a function changes."""
    cfg = wide_config()
    model = tiny_model(cfg.model)
    for parameter in model.parameters():
        parameter.data = torch.from_numpy(change(parameter.detach().numpy()))
    return list(VideoInferencer(cfg, model=model, device='cpu').stream(FRAMES))


def highest(results):
    """(frames, classes) highest score of each class, 0 if there is none."""
    found = [getattr(result, 'pred_det_instances', result) for result in results]
    return np.array([[max(x.scores[x.labels == label].tolist(), default=0) for label in range(3)] for x in found])


@pytest.fixture(scope='module')
def stored(tmp_path_factory):
    """The directory that the command writes of a fresh model."""
    folder, cfg = tmp_path_factory.mktemp('stored'), wide_config()
    cfg.dump(folder / 'config.py')
    torch.save(dict(state_dict=tiny_model(cfg.model).state_dict(), meta={}), folder / 'model.pth')
    files = folder / 'config.py', folder / 'model.pth'
    call_tool('deployment/export_onnx.py', *files, '--out', folder / 'out', '--int8-weights')
    return folder / 'out'


def results_of(directory):
    from mmrdn_runtime import VideoDetector

    return list(VideoDetector(directory, threads=1).stream(FRAMES))


@pytest.mark.parametrize('file', PARTS)
def test_sizes(file, stored):
    """The weights take the bytes that their numbers of values say; operators and their names take some more."""
    import onnx

    named = tiny_model(wide_config().model).named_parameters()
    weights = [weight.detach().numpy() for name, weight in named if name.startswith(PARTS[file])]
    expected, before = sum(map(stored_bytes, weights)), 4 * sum(weight.size for weight in weights)
    held = sum(onnx.numpy_helper.to_array(x).nbytes for x in onnx.load(stored / file).graph.initializer)
    assert 0.25 < expected / before < 0.38
    assert held == pytest.approx(expected, rel=0.03)
    assert (stored / file).stat().st_size < held + 80000


def test_detects_what_the_stored_weights_detect(stored):
    assert_same_results(results_of(stored), detect(stored_weight), scores=5e-4)


def test_close_to_fp32(stored):
    """Scores change less than where all weights are half a step off, which is the most that rounding does to one."""
    exact, changes = highest(detect(lambda weight: weight)), []
    for seed in range(3):
        signs = np.random.default_rng(seed)
        found = detect(lambda weight: weight + signs.choice(np.float32([-0.5, 0.5]), weight.shape) * step_of(weight))
        changes.append(np.abs(highest(found) - exact).mean())
    assert 0 < np.abs(highest(results_of(stored)) - exact).mean() < max(changes)
