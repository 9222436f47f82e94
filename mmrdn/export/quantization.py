# Copyright (c) mmrdn contributors. All rights reserved.
"""Convolutions in int8: ONNX Runtime's static quantization."""

import contextlib
import itertools
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config

from mmrdn.export.onnx_graph import quiet
from mmrdn.inference.rdn_streams import RDNStreams
from mmrdn.models import RDN
from mmrdn.utils.dataset_configs import leaf_datasets
from mmrdn.video import open_source

MAX_FRAMES = 100  # that ranges are measured on
_PARTS = ('detector.backbone', 'detector.neck')  # what is computed in int8
_EXCEPT = 'SwinBlock'  # has no convolutions, and its sums are of attention logits, where masks are -100
_OPERATORS = ('Conv', 'Add', 'MaxPool')  # of it; a ReLU joins the operator before it


def calibration_inputs(frames: str | Path, model: RDN, cfg: Config) -> Iterator[dict[str, np.ndarray]]:
    """Return the inputs of ``extract.onnx`` of some frames, 100 at most, spread over the video.

    Args:
        frames (str or Path): Video, directory or pattern of images, see :func:`mmrdn.video.open_source`.
        model (RDN): The detector.
        cfg (Config): Its config, with the test pipeline.

    Raises:
        FileNotFoundError: There is nothing of this name.
        ValueError: It has no frame that can be read.
    """
    dataset = leaf_datasets(cfg.test_dataloader.dataset)[0]
    streams = RDNStreams(model, dataset, cfg.get('default_scope'), contextlib.nullcontext)
    source, stream = open_source(frames), streams.open(str(frames))
    step = max((source.num_frames or 0) // MAX_FRAMES, 1)

    def inputs() -> Iterator[dict[str, np.ndarray]]:
        for frame in itertools.islice(source, 0, step * MAX_FRAMES, step):
            image, (sample,) = stream.to_batch(stream.prepare(frame.image))
            yield dict(image=image.numpy(), size=np.array([sample.img_shape[:2]], np.int64))

    return inputs()


def quantize(proto: Any, inputs: Iterable[dict[str, np.ndarray]]) -> Any:
    """Let the convolutions of backbone and neck compute in int8.

    Args:
        proto (onnx.ModelProto): ``extract.onnx``.
        inputs (Iterable[dict[str, np.ndarray]]): Inputs that ranges of activations are measured on.

    Returns:
        onnx.ModelProto: The graph with QuantizeLinear and DequantizeLinear.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):
        """Inputs one by one."""

        def __init__(self) -> None:
            self.inputs = iter(inputs)

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.inputs, None)

    nodes = [node.name for node in proto.graph.node if _is_quantized(node)]
    with tempfile.TemporaryDirectory() as directory, quiet():
        path = Path(directory) / 'int8.onnx'
        quantize_static(
            proto,
            path,
            Reader(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(_OPERATORS),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_quantize=nodes,
        )
        return onnx.load(path)


def _is_quantized(node: Any) -> bool:
    """Return whether a node is part of what is computed in int8."""
    scopes, classes = (
        next((p.value for p in node.metadata_props if p.key == f'pkg.torch.onnx.{key}'), '')
        for key in ('name_scopes', 'class_hierarchy')
    )
    return node.op_type in _OPERATORS and any(part in scopes for part in _PARTS) and _EXCEPT not in classes
