# Copyright (c) mmrdn contributors. All rights reserved.
"""Pickled numpy arrays, MMEngine's log histories and other small things, made from checked parts.

The names that pickles use for them, and functions of ours that stand for these names.
"""

import math
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler

from mmrdn.fileio.plain_pickle import Refused, Unbuilt, checked_key, checked_name

_DTYPES = frozenset('b1 i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8 c8 c16'.split())
_ONE_CYCLE = f'{OneCycleParamScheduler.__module__}.{OneCycleParamScheduler.__qualname__}'
_ANNEALING = {
    f'{_ONE_CYCLE}.{name}': getattr(OneCycleParamScheduler, name) for name in ('_annealing_cos', '_annealing_linear')
}


def _dtype(name: Any, *_: Any) -> Unbuilt | Refused:
    """Stand for ``numpy.dtype``, whose byte order comes as its state."""
    if checked_name(name) not in _DTYPES:
        return Refused('a numpy array of objects, texts or records', is_object=False)

    def build(state: Any) -> np.dtype:
        order, fields = state[1], state[2:5]
        if order not in ('<', '>', '|', '=') or any(field is not None for field in fields):
            raise ValueError('a numpy data type has fields, expected plain numbers')
        return np.dtype(name).newbyteorder(order)

    return Unbuilt('numpy.dtype', build)


def check_shape(sizes: Any, what: str) -> None:
    """Raise ValueError unless a value is the shape of an array, or the strides.

    Args:
        sizes (Any): Value of a file.
        what (str): Kind of array, for the message.
    """
    if not isinstance(sizes, tuple) or len(sizes) > 64 or any(type(n) is not int or not 0 <= n < 2**63 for n in sizes):
        raise ValueError(f'the shape of a {what} is not one')


def _empty_array(*_: Any) -> Unbuilt:
    """Stand for numpy's ``_reconstruct``, whose values come as its state."""
    return Unbuilt('numpy.ndarray', lambda state: _array(*state[1:]))


def _array(shape: Any, dtype: Any, is_fortran: Any, content: Any) -> np.ndarray | Refused:
    """Return an array of plain numbers."""
    if isinstance(dtype, Refused):
        return dtype
    if not isinstance(dtype, np.dtype) or not isinstance(content, bytes):
        return Refused('a numpy array of objects, texts or records', is_object=False)
    check_shape(shape, 'numpy array')
    if math.prod(shape) * dtype.itemsize != len(content):
        raise ValueError(f'a numpy array of shape {shape} has {len(content)} bytes')
    return np.frombuffer(content, dtype).reshape(shape, order='F' if is_fortran else 'C').copy()


def _from_buffer(content: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray | Refused:
    """Stand for numpy's ``_frombuffer``, by which protocol 5 writes arrays."""
    return _array(shape, dtype, order == 'F', bytes(content) if isinstance(content, bytearray) else content)


def _scalar(dtype: Any, content: Any) -> np.generic | Refused:
    """Stand for numpy's ``scalar``."""
    array = _array((), dtype, False, content)
    return array if isinstance(array, Refused) else array[()]


def _history(*_: Any) -> Unbuilt:
    """Stand for ``HistoryBuffer``; the statistics that it names are the ones that MMEngine has."""

    def build(state: Any) -> HistoryBuffer:
        values, counts, length = (state[key] for key in ('_log_history', '_count_history', 'max_length'))
        for array in (values, counts):
            if not isinstance(array, np.ndarray) or array.ndim != 1 or array.dtype.kind not in 'biuf':
                raise ValueError('the values of a HistoryBuffer are no numbers in a row')
        if type(length) is not int or not len(values) == len(counts) <= length:
            raise ValueError('a HistoryBuffer is longer than it says, or differs from its counts')
        buffer = HistoryBuffer(max_length=length)
        buffer._log_history, buffer._count_history = values, counts  # not copied, as many may share them
        return buffer

    return Unbuilt(f'{HistoryBuffer.__module__}.{HistoryBuffer.__qualname__}', build)


def _attribute(owner: Any, name: Any) -> Any:
    """Stand for ``getattr``, by which a one-cycle scheduler has its annealing function."""
    what = owner.what if isinstance(owner, Refused) else type(owner).__name__
    found = checked_name(f'{what}.{checked_name(name)}')
    return _ANNEALING.get(found, Refused(found))


def _ordered_dict(pairs: Any = ()) -> OrderedDict:
    return OrderedDict((checked_key(key), value) for key, value in pairs)


def _counter(counts: Any = ()) -> Counter:
    pairs = _ordered_dict(counts.items() if isinstance(counts, dict) else counts)
    if not all(type(count) is int for count in pairs.values()):
        raise ValueError('the counts of a Counter are no integers')
    return Counter(pairs)


def _set(items: Any = ()) -> set:
    return set(map(checked_key, items))


def _frozenset(items: Any = ()) -> frozenset:
    return frozenset(map(checked_key, items))


def _bytearray(content: Any = b'', *_: Any) -> bytearray:
    # Of a number it would be that many zeros.
    return bytearray(content if isinstance(content, bytes) else content.encode('latin-1'))


def _encode(text: Any, codec: Any = 'latin1') -> bytes:
    """Stand for ``_codecs.encode``, by which protocol 2 writes bytes."""
    if codec != 'latin1':
        raise ValueError('bytes are encoded in an unknown way')
    return text.encode('latin-1')


def _complex(real: Any, imaginary: Any) -> complex:
    return complex(float(real), float(imaginary))


def _size(sizes: Any) -> torch.Size:
    return torch.Size(sizes)


def _device(kind: Any, index: Any = None) -> torch.device:
    return torch.device(checked_name(kind)) if index is None else torch.device(checked_name(kind), index)


KNOWN: Mapping[str, Callable[..., Any]] = {
    'collections.OrderedDict': _ordered_dict,
    'collections.Counter': _counter,
    'builtins.set': _set,
    'builtins.frozenset': _frozenset,
    'builtins.bytearray': _bytearray,
    'builtins.bytes': lambda: b'',  # of protocol 2, for empty ones
    'builtins.complex': _complex,
    'builtins.getattr': _attribute,
    '_codecs.encode': _encode,
    'torch.Size': _size,
    'torch.device': _device,
    'numpy.dtype': _dtype,
    f'{HistoryBuffer.__module__}.{HistoryBuffer.__qualname__}': _history,
    **{f'numpy.{core}.multiarray._reconstruct': _empty_array for core in ('_core', 'core')},
    **{f'numpy.{core}.numeric._frombuffer': _from_buffer for core in ('_core', 'core')},
    **{f'numpy.{core}.multiarray.scalar': _scalar for core in ('_core', 'core')},
}
CONSTANTS: Mapping[str, Any] = {
    **{str(dtype): dtype for dtype in vars(torch).values() if isinstance(dtype, torch.dtype)},
    **_ANNEALING,
}
