# Copyright (c) mmrdn contributors. All rights reserved.
"""The one set of checks of what a checkpoint holds, so that nothing later stumbles over it."""

from collections import OrderedDict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmrdn.fileio.plain_pickle import Refused
from mmrdn.utils.text import shown

OPT_IN = '--trust-checkpoint (in Python: trust_checkpoint=True)'
_MAX_DEPTH = 64
_MAX_VALUES = 10**7  # a list of lists of the same lists grows without end as soon as it is copied
MAX_COUNT = 2**53  # of iterations
_MAX_SEED = 2**32 - 1  # numpy's
_MAX_CLASS = 1000  # characters of a name


def check_plain(value: Any) -> None:
    """Raise ValueError unless a value consists of plain ones, each of them within reach.

    Args:
        value (Any): What :class:`mmrdn.fileio.torch_file.TorchFile` reads.

    Raises:
        ValueError: It holds an object that only unpickling could make, or a tensor of a strange
            kind, or itself, or is nested too deeply; names the place.
    """
    _Walk().visit(value, ())


class _Walk:
    """One walk through a value, each container once."""

    def __init__(self) -> None:
        self._measured: dict[int, tuple[int, int]] = {}  # values and depth, by identity
        self._open: set[int] = set()

    def visit(self, value: Any, path: tuple[Any, ...]) -> tuple[int, int]:
        """Return how many values there are if shared ones are counted again and again, and the depth."""
        if isinstance(value, Refused):
            if value.is_object:
                raise ValueError(
                    f'it holds an object of {shown(value.what)} (at {shown_path(path)}), which '
                    'only unpickling could read, and that runs code of whoever wrote '
                    f'the file; if you trust it, say {OPT_IN}'
                )
            raise ValueError(f'{shown_path(path)} is {shown(value.what)}, expected a dense tensor or a plain value')
        if not isinstance(value, (dict, list, tuple, set, frozenset)):
            return 1 + (len(value) // 64 if isinstance(value, (str, bytes, bytearray)) else 0), 0
        identity = id(value)
        if identity in self._measured:
            return self._measured[identity]
        if identity in self._open or len(path) > _MAX_DEPTH:
            raise ValueError(f'{shown_path(path[:3])} holds itself, or is nested more than {_MAX_DEPTH} deep')
        self._open.add(identity)
        size, depth = 1, 0
        for key, item in _items(value):
            item_size, item_depth = self.visit(item, (*path, key))
            size += item_size + (len(key) // 64 if isinstance(key, (str, bytes)) else 0)
            depth = max(depth, item_depth + 1)
        if size > _MAX_VALUES or len(path) + depth > _MAX_DEPTH:
            raise ValueError(f'{shown_path(path[:3])} holds more than {_MAX_VALUES} values, or {_MAX_DEPTH} levels')
        self._open.remove(identity)
        self._measured[identity] = size, depth
        return size, depth


def _items(value: Any) -> list[tuple[Any, Any]]:
    """Return keys and items of a container."""
    if not isinstance(value, dict):
        return list(enumerate(value))
    metadata = getattr(value, '_metadata', None) if isinstance(value, OrderedDict) else None
    return [*value.items(), *([] if metadata is None else [('_metadata', metadata)])]


def shown_path(path: tuple[Any, ...]) -> str:
    """Return the place of a value, such as ``meta.dataset_meta.classes``."""
    return shown('.'.join(map(str, path))) if path else 'its content'


def check_checkpoint(checkpoint: Any) -> None:
    """Raise ValueError unless a checkpoint has the parts that the commands read, of the right kinds.

    Args:
        checkpoint (Any): Content of a file; ``meta`` that is None is taken out.

    Raises:
        ValueError: It has not; names the field.
    """
    if not isinstance(checkpoint, dict):
        raise ValueError(f'it holds a {type(checkpoint).__name__}, expected a dict')
    check_names(checkpoint, 'its content')
    for field in ('state_dict', 'ema_state_dict', 'model'):  # the last as torchvision and MEGA have it
        if field in checkpoint:
            check_tensors(checkpoint[field], field)
    for name in checkpoint.get('ema_state_dict', ()):
        original = name.removeprefix('module.')
        if original != name and original not in checkpoint.get('state_dict', {}):
            raise ValueError(f'ema_state_dict.{shown(name)} is an average of nothing in its state_dict')
    if checkpoint.get('meta') is None:
        checkpoint.pop('meta', None)
    else:
        _check_meta(checkpoint['meta'])


def check_names(value: Any, field: str) -> None:
    """Raise ValueError unless a value is a dict by printable names."""
    if not isinstance(value, dict):
        raise ValueError(f'{field} is {described(value)}, expected a dict')
    for name in value:
        if not isinstance(name, str) or not name.isprintable():
            raise ValueError(f'{field} has the key {shown(repr(name))}, expected a name')


def check_tensors(state: Any, field: str) -> None:
    """Raise ValueError unless a value is a dict of dense tensors of real numbers by name."""
    check_names(state, field)
    for name, value in state.items():
        problem = None
        if not isinstance(value, Tensor):
            problem = described(value)
        elif value.layout != torch.strided or value.is_quantized or value.device.type == 'meta' or value.is_nested:
            problem = 'a sparse, quantized or nested tensor, or one without values'
        elif value.is_complex() or value.is_floating_point() and value.dtype.itemsize < 2:
            problem = f'a tensor of {value.dtype}'
        if problem:
            raise ValueError(f'{field}.{shown(name)} is {problem}, expected a dense tensor of real numbers')
    metadata = getattr(state, '_metadata', None) or {}
    check_names(metadata, f'{field}._metadata')
    for name, versions in metadata.items():
        check_names(versions, f'{field}._metadata.{shown(name)}')
        version = versions.get('version')
        if version is not None and type(version) is not int:
            raise ValueError(f'{field}._metadata.{shown(name)}.version is {described(version)}, expected an integer')


def described(value: Any) -> str:
    """Return a value for a message if it is a short one, else its kind."""
    if value is None or isinstance(value, (bool, float)) or isinstance(value, int) and abs(value) < 2**64:
        return str(value)
    if isinstance(value, str) and len(value) < 50:
        return shown(repr(value))
    name = type(value).__name__
    return f'{"an" if name[0] in "aeiouAEIOU" else "a"} {name}'


def check_number(value: Any, field: str, high: float, integer: bool = True) -> None:
    """Raise ValueError unless a value is a number from 0 to ``high``, or any finite one."""
    kinds = (int, np.integer) if integer else (int, float, np.integer, np.floating)
    if isinstance(value, bool) or not isinstance(value, kinds) or integer and not 0 <= value <= high:
        wanted = f'an integer from 0 to {high}' if integer else 'a number'
        raise ValueError(f'{field} is {described(value)}, expected {wanted}')


def _check_meta(meta: Any) -> None:
    check_names(meta, 'meta')
    for name, high in (('iter', MAX_COUNT), ('epoch', MAX_COUNT), ('seed', _MAX_SEED)):
        if meta.get(name) is not None:
            check_number(meta[name], f'meta.{name}', high)
    for name in ('dataset_meta', 'metrics'):
        if meta.get(name) is not None:
            check_names(meta[name], f'meta.{name}')
    for owner, field in ((meta, 'meta'), (meta.get('dataset_meta') or {}, 'meta.dataset_meta')):
        for name in ('classes', 'CLASSES'):
            if owner.get(name) is not None:
                _check_classes(owner[name], f'{field}.{name}')
    for name, value in (meta.get('metrics') or {}).items():
        check_number(value, f'meta.metrics.{shown(name)}', 0, integer=False)
    _check_palette((meta.get('dataset_meta') or {}).get('palette'))


def _check_classes(names: Any, field: str) -> None:
    if isinstance(names, str):
        names = [names]
    if not isinstance(names, (list, tuple)):
        raise ValueError(f'{field} is {described(names)}, expected names')
    for name in names:
        if not isinstance(name, str) or not name.isprintable() or len(name) > _MAX_CLASS:
            raise ValueError(f'{field} has {described(name)}, expected a name')


def _check_palette(palette: Any) -> None:
    if palette is None or isinstance(palette, str):  # mmdet knows some by name
        return
    colors = list(palette) if isinstance(palette, (list, tuple, np.ndarray)) else [None]
    for color in colors:
        values = list(color) if isinstance(color, (list, tuple, np.ndarray)) else []
        if len(values) != 3:
            raise ValueError(f'meta.dataset_meta.palette has {described(color)}, expected colors of 3 integers')
        for value in values:
            check_number(value, 'meta.dataset_meta.palette', 255)
