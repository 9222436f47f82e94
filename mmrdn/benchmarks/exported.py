# Copyright (c) mmrdn contributors. All rights reserved.
"""A frame of exported detectors in ``mmrdn-runtime`` beside the same detectors in PyTorch.

Weights and frames are random, as in :mod:`mmrdn.benchmarks.whole_frame`. Every contender has its
window full when the timing starts.
"""

import importlib.util
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from mmengine.config import Config

from mmrdn.benchmarks.timing import take_turns
from mmrdn.benchmarks.whole_frame import CONFIGS, RDN_CONFIG, SINGLE, SIZE, random_model, rdn_frames
from mmrdn.utils.heap import keep_freed_memory

if TYPE_CHECKING:
    from mmrdn_runtime import VideoDetector

_NEEDED = ('mmrdn_runtime', 'onnx', 'onnxruntime', 'openvino')


def time_exported(repeats: int, seed: int = 0, quick: bool = False) -> dict[str, Any]:
    """Time a frame of R-101 on a CPU: single frame and RDN, PyTorch, ONNX Runtime and OpenVINO.

    Args:
        repeats (int): Frames that count.
        seed (int): Seed of weights and frames.
        quick (bool): Whether to leave out OpenVINO and int8.

    Returns:
        dict: Summary by contender, or a ``note`` if a package is missing.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        return dict(note=f'not measured: {", ".join(missing)} cannot be imported')
    single = Config.fromfile(CONFIGS / SINGLE.format('r101'))
    related = Config.fromfile(CONFIGS / RDN_CONFIG.format('r101'))
    frame = np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as directory:
        return take_turns(make_contenders(single, related, frame, Path(directory), seed, quick), repeats)


def make_contenders(
    single: Config, related: Config, frame: np.ndarray, directory: Path, seed: int, quick: bool = False
) -> dict[str, Callable[[], Any]]:
    """Make functions that take a frame each.

    Args:
        single (Config): Config of a single-frame detector.
        related (Config): Config of RDN around the same detector.
        frame (ndarray): (H, W, 3) uint8 frame that no test pipeline resizes.
        directory (Path): Where to put the exported files.
        seed (int): Seed of the weights.
        quick (bool): Whether to leave out OpenVINO and int8.
    """
    from mmrdn.export.onnx_directory import export_onnx
    from mmrdn_runtime import VideoDetector

    keep_freed_memory(torch.device('cpu'))  # as tools/demo_video.py does
    models = dict(single=random_model(single.model, seed), RDN=random_model(related.model, seed))
    models['RDN'].detector = models['single'].detector
    cv2.imwrite(str(directory / 'frame.png'), frame)
    image = torch.from_numpy(frame).permute(2, 0, 1)[None, None].float() / 64 - 2
    threads = torch.get_num_threads()
    files = {
        name: export_onnx(cfg, out=directory / name, model=models[name])
        for name, cfg in (('single', single), ('RDN', related))
    }
    detectors = {f'ONNX Runtime {name}': VideoDetector(path, threads=threads) for name, path in files.items()}
    if not quick:
        int8 = export_onnx(related, out=directory / 'int8', model=models['RDN'], calibrate=directory / 'frame.png')
        detectors['ONNX Runtime RDN int8'] = VideoDetector(int8, threads=threads)
        for precision in ('f32', 'bf16'):
            detector = VideoDetector(files['RDN'], backend='openvino', precision=precision, threads=threads)
            detectors[f'OpenVINO RDN {precision}'] = detector
    # An export starts the model's video over, so windows are filled after it.
    contenders: dict[str, Callable[[], Any]] = {
        f'PyTorch {name}': rdn_frames(model, image) for name, model in models.items()
    }
    return contenders | {name: _feed(detector, frame) for name, detector in detectors.items()}


def _feed(detector: 'VideoDetector', frame: np.ndarray) -> Callable[[], Any]:
    """Return a function that feeds a frame to a stream whose window is full."""
    stream = detector.open_stream()
    memory = detector.directory.memory
    for _ in range(memory['temporal_range'] + memory['lookahead'] + 1 if memory else 0):
        stream.feed(frame[: len(frame) // 12])  # a strip takes little time
    return lambda: stream.feed(frame)
