# Copyright (c) mmrdn contributors. All rights reserved.
"""torch's stable sort as TopK of ONNX, which ranks the lower index first among equals; needs onnxscript."""

from onnxscript import opset18 as op


def stable_sort(values, stable=None, dim=-1, descending=False):
    """Translate a call of ``aten::sort.stable``: values and indices."""
    count = op.Gather(op.Shape(values), [dim])
    return op.TopK(values, count, axis=dim, largest=int(descending), sorted=1)
