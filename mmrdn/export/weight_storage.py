# Copyright (c) mmrdn contributors. All rights reserved.
"""Weights of a graph in fewer bytes; computations stay in fp32."""

from collections.abc import Callable
from typing import Any

import numpy as np

Shrink = Callable[[Any], None] | None  # makes the weights of a model smaller

_MIN_VALUES = 1024  # of weights in fp16; shorter ones are factors and biases
_MIN_MATRIX = 65536  # values of a matrix in int8: few bytes are in smaller ones
_WEIGHTED = ('Conv', 'Gemm', 'MatMul')  # operators whose second input is a matrix of weights


def halve_weights(proto: Any) -> None:
    """Store the weights of a model as fp16, each cast to fp32 where it is read.

    Args:
        proto (onnx.ModelProto): The model, changed in place. Numbers beyond fp16's become its largest.
    """
    from onnx import TensorProto, helper, numpy_helper

    casts, limit = [], np.finfo(np.float16).max
    scales = {node.input[1] for node in proto.graph.node if node.op_type in ('QuantizeLinear', 'DequantizeLinear')}
    for tensor in proto.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < _MIN_VALUES or tensor.name in scales:
            continue
        name = tensor.name
        half = numpy_helper.from_array(values.clip(-limit, limit).astype(np.float16), f'{name}_fp16')
        tensor.CopyFrom(half)
        casts.append(helper.make_node('Cast', [half.name], [name], name=f'{name}_cast', to=TensorProto.FLOAT))
    _put_first(proto, casts)


def round_weights(proto: Any) -> None:
    """Store the large matrices of a model as int8 with a scale for each output channel, multiplied where they are read.

    These are the weights of convolutions and linear layers. Others become fp16, see :func:`halve_weights`.

    Args:
        proto (onnx.ModelProto): The model, changed in place.
    """
    from onnx import TensorProto, helper, numpy_helper

    axes = {node.input[1]: _output_axis(node) for node in proto.graph.node if node.op_type in _WEIGHTED}
    nodes, scales = [], []
    for tensor in proto.graph.initializer:
        name, values = tensor.name, numpy_helper.to_array(tensor)
        if name not in axes or tensor.data_type != TensorProto.FLOAT or values.size < _MIN_MATRIX:
            continue
        others = tuple(i for i in range(values.ndim) if i != axes[name] % values.ndim)
        scale = np.abs(values).max(axis=others, keepdims=True) / np.float32(127)
        steps = np.rint(values / np.where(scale == 0, 1, scale)).astype(np.int8)
        tensor.CopyFrom(numpy_helper.from_array(steps, f'{name}_int8'))
        scales.append(numpy_helper.from_array(scale, f'{name}_scale'))
        cast = helper.make_node('Cast', [tensor.name], [f'{name}_steps'], name=f'{name}_cast', to=TensorProto.FLOAT)
        product = helper.make_node('Mul', [f'{name}_steps', scales[-1].name], [name], name=f'{name}_product')
        nodes += [cast, product]
    halve_weights(proto)
    proto.graph.initializer.extend(scales)  # small numbers, which fp16 would round too much
    _put_first(proto, nodes)


def _output_axis(node: Any) -> int:
    """Return the axis of output channels in the weights of an operator."""
    if node.op_type == 'Conv' or any(x.name == 'transB' and x.i for x in node.attribute):
        return 0
    return -1


def _put_first(proto: Any, nodes: list) -> None:
    """Put nodes in front of the others of a graph."""
    rest = list(proto.graph.node)
    del proto.graph.node[:]
    proto.graph.node.extend([*nodes, *rest])


STORAGES: dict[str, Shrink] = dict(fp32=None, fp16=halve_weights, int8=round_weights)
