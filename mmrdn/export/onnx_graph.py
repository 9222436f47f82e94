# Copyright (c) mmrdn contributors. All rights reserved.
"""From a module to an ONNX file."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn as nn
from torch.utils._pytree import tree_leaves, tree_map

from mmrdn.export.weight_storage import Shrink

_OLDEST_TORCH = '2.6'  # that takes translations of operators
OPSET = 18  # of RoiAlign 16 and NonMaxSuppression 11, which all runtimes have


def to_onnx(
    module: nn.Module,
    inputs: tuple,
    names: tuple[Any, Any],
    file: str,
    dynamic: dict[str, dict[int, Any]] | None = None,
) -> Any:
    """Export a module by ``torch.export``.

    Args:
        module (nn.Module): The graph.
        inputs (tuple): Its arguments.
        names (tuple): Names of inputs and outputs, in the structures that these have.
        file (str): Name of the file in messages.
        dynamic (dict, optional): Dimensions of inputs that may be of any length, by the input's name.

    Returns:
        onnx.ModelProto: The graph.

    Raises:
        ValueError: onnx or onnxscript is not installed, torch is older than 2.6, or it cannot export the module.
    """
    ops = _translations()
    shapes = tree_map(lambda name: (dynamic or {}).get(name), names[0]) if dynamic else None
    try:
        with quiet():
            program = torch.export.export(module.eval(), inputs, dynamic_shapes=shapes, strict=False)
            exported = torch.onnx.export(
                program,
                dynamo=True,
                custom_translation_table=ops,
                opset_version=OPSET,
                input_names=tree_leaves(names[0]),
                output_names=tree_leaves(names[1]),
                verbose=False,
            )
    except (torch.onnx.OnnxExporterError, torch._dynamo.exc.UserError, RuntimeError) as error:
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        raise ValueError(f'torch cannot export {file}: {str(cause).strip().splitlines()[0]}') from error
    return exported.model_proto


def save_onnx(proto: Any, path: Path, shrink: Shrink = None, metadata: Mapping[str, Any] = {}) -> None:
    """Check a graph and write it, without the exporter's notes on where in the source each operator is from.

    Args:
        proto (onnx.ModelProto): The graph.
        path (Path): The file.
        shrink (callable, optional): Function that makes its weights smaller, such as :func:`halve_weights`.
        metadata (Mapping[str, Any]): Facts about the model that the file notes, by name.

    Raises:
        ValueError: It has operators that other runtimes would not read.
    """
    if shrink is not None:
        shrink(proto)
    graph = proto.graph
    for part in (graph, *graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info):
        del part.metadata_props[:]
    for name, value in metadata.items():
        proto.metadata_props.add(key=name, value=str(value))
    _check(proto, path.name)
    path.write_bytes(proto.SerializeToString())


def _translations() -> dict:
    """Return the translations of operators that the exporter does not know."""
    if torch.__version__ < _OLDEST_TORCH:
        raise ValueError(f'export needs torch {_OLDEST_TORCH} or later, this is {torch.__version__}')
    try:
        from mmrdn.ops.onnx_translations import TRANSLATIONS
    except ImportError as error:
        raise ValueError(f'export needs the packages of requirements/deploy.txt: {error}') from None
    return TRANSLATIONS


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep progress and advice of exporter and quantizer off the terminal."""
    loggers = [logging.getLogger(name) for name in ('torch.onnx', None)]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
            warnings.simplefilter('ignore')
            yield
    finally:
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)


def _check(proto: Any, name: str) -> None:
    """Refuse a model that other runtimes would not read."""
    import onnx

    onnx.checker.check_model(proto)
    domains = {node.domain for node in proto.graph.node} - {'', 'ai.onnx'}
    if domains or proto.functions:
        raise ValueError(f'{name}: the graph has operators that are not ONNX: {", ".join(sorted(domains))}')
