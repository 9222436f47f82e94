# Copyright (c) mmrdn contributors. All rights reserved.
"""Files of ``torch.save`` read as data, see :mod:`mmrdn.fileio.plain_pickle`.

A tensor has every element once and lies within its storage, and a storage is as large as the file
says it is: so what is read takes no more memory than a few times the file.
"""

import io
import math
import os
import zipfile
from collections.abc import Callable
from typing import IO, Any

import torch

from mmrdn.fileio.plain_arrays import CONSTANTS, KNOWN, check_shape
from mmrdn.fileio.plain_pickle import PlainPickle, Refused, checked_name

_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C  # of the format before torch 1.6
_PROTOCOL_VERSION = 1001
_MAX_SHARING = 16  # bytes of all tensors by bytes of the file
_STORAGES = dict(
    DoubleStorage=torch.float64,
    FloatStorage=torch.float32,
    HalfStorage=torch.float16,
    BFloat16Storage=torch.bfloat16,
    LongStorage=torch.int64,
    IntStorage=torch.int32,
    ShortStorage=torch.int16,
    CharStorage=torch.int8,
    ByteStorage=torch.uint8,
    BoolStorage=torch.bool,
    ComplexDoubleStorage=torch.complex128,
    ComplexFloatStorage=torch.complex64,
)
_REFUSED = dict(
    _rebuild_sparse_tensor='a sparse tensor',
    _rebuild_qtensor='a quantized tensor',
    _rebuild_nested_tensor='a nested tensor',
    _rebuild_meta_tensor_no_storage='a tensor without values',
    _rebuild_wrapper_subclass='a tensor of another class',
    _rebuild_device_tensor_from_numpy='a tensor of a special device',
    _rebuild_device_tensor_from_cpu_tensor='a tensor of a special device',
)


class _Storage(Refused):
    """Memory of tensors; refused where none is made of it."""

    __slots__ = ('dtype', 'memory')

    def __init__(self, memory: torch.UntypedStorage, dtype: torch.dtype) -> None:
        super().__init__('a storage without a tensor', is_object=False)
        self.memory = memory
        self.dtype = dtype


class TorchFile:
    """One reading of a file of ``torch.save``, of zip format or older.

    Args:
        filename (str): Path.
        map_location (str, torch.device or callable, optional): Device, or a function from a storage
            on the CPU and its location in the file to a storage. Default: the CPU.
    """

    def __init__(self, filename: str, map_location: str | torch.device | Callable | None = None) -> None:
        self._filename = filename
        self._map_location = map_location
        self._allowed = _MAX_SHARING * os.path.getsize(filename) + 2**20  # bytes
        self._storages: dict[str, torch.UntypedStorage] = {}
        self._read_storage: Callable[[str], bytearray]

    def read(self) -> Any:
        """Return the content: plain values and tensors, and :class:`Refused` in the place of others.

        Raises:
            Exception: Any, if it is no such file, or damaged.
        """
        with open(self._filename, 'rb') as file:
            is_zip = file.read(2) == b'PK'
            file.seek(0)
            return self._read_zip(file) if is_zip else self._read_old(file)

    def _pickle(self, persistent: Callable[[Any], Any]) -> PlainPickle:
        known = dict(KNOWN)
        for name, what in _REFUSED.items():
            known[f'torch._utils.{name}'] = lambda *_, what=what: Refused(what, is_object=False)
        known['torch._utils._rebuild_tensor'] = self._tensor
        known['torch._utils._rebuild_tensor_v2'] = self._tensor
        known['torch._utils._rebuild_tensor_v3'] = _refused_tensor
        known['torch._utils._rebuild_parameter'] = lambda tensor, *_: tensor
        known['torch._utils._rebuild_parameter_with_state'] = lambda tensor, *_: tensor
        return PlainPickle(known, CONSTANTS, persistent)

    def _read_zip(self, file: IO[bytes]) -> Any:
        with zipfile.ZipFile(file) as archive:
            size = os.path.getsize(self._filename)
            entries = archive.infolist()
            for entry in entries:
                # torch.save never compresses; what does may become a thousand times larger.
                if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
                    raise ValueError(f'{entry.filename!r} is compressed, which torch.save does not do')
            if sum(entry.file_size for entry in entries) > size or len({e.filename for e in entries}) != len(entries):
                raise ValueError('its entries overlap')
            (main,) = (entry.filename for entry in entries if entry.filename.endswith('/data.pkl'))
            root = main.removesuffix('data.pkl')
            if f'{root}byteorder' in archive.namelist() and archive.read(f'{root}byteorder') != b'little':
                raise ValueError('it was written by a big-endian machine')
            self._read_storage = lambda key: bytearray(archive.read(f'{root}data/{key}'))
            return self._pickle(self._storage).load(io.BytesIO(archive.read(main)))

    def _read_old(self, file: IO[bytes]) -> Any:
        """Read the format of before torch 1.6: storages come after the values that use them."""
        total, sizes = os.path.getsize(self._filename), {}

        def note(persistent_id: Any) -> Refused:
            key, dtype, _, num = _parse_id(persistent_id)
            sizes[key] = num * (dtype or torch.uint8).itemsize, num
            return Refused('a storage')

        magic, version, system = (self._pickle(note).load(file) for _ in range(3))
        is_little = isinstance(system, dict) and system.get('little_endian') is True
        if magic != _MAGIC_NUMBER or version != _PROTOCOL_VERSION or not is_little:
            raise ValueError('it does not begin as files of torch.save do')
        start = file.tell()
        self._pickle(note).load(file)
        keys = self._pickle(note).load(file)
        claimed = sum(num_bytes for num_bytes, _ in sizes.values())
        if sorted(map(checked_name, keys)) != sorted(sizes) or claimed > total:
            raise ValueError('it lacks storages that it names')
        buffers = {}
        for key in keys:
            num_bytes, num = sizes[key]
            if int.from_bytes(file.read(8), 'little') != num:
                raise ValueError(f'storage {key!r} is not as large as its tensors say')
            buffers[key] = bytearray(num_bytes)
            if file.readinto(buffers[key]) != num_bytes:
                raise ValueError('its end is missing')
        self._read_storage = buffers.__getitem__
        file.seek(start)
        return self._pickle(self._storage).load(file)

    def _storage(self, persistent_id: Any) -> _Storage | Refused:
        """Return the storage of a persistent ID."""
        key, dtype, location, num = _parse_id(persistent_id)
        if dtype is None:
            return Refused('a quantized tensor', is_object=False)
        if key not in self._storages:
            buffer = self._read_storage(key)
            if len(buffer) != num * dtype.itemsize:
                raise ValueError(f'storage {key!r} has {len(buffer)} bytes, its tensors say {num * dtype.itemsize}')
            self._storages[key] = self._placed(_memory(buffer), location)
        return _Storage(self._storages[key], dtype)

    def _placed(self, memory: torch.UntypedStorage, location: Any) -> torch.UntypedStorage:
        """Return the memory on the device that was asked for."""
        if self._map_location is None:
            return memory
        if callable(self._map_location):
            return self._map_location(memory, location)
        return torch.empty(0, dtype=torch.uint8).set_(memory).to(self._map_location).untyped_storage()

    def _tensor(self, storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> torch.Tensor | Refused:
        """Return a tensor in a storage."""
        if not isinstance(storage, _Storage):
            return storage if isinstance(storage, Refused) else Refused('a tensor without a storage', is_object=False)
        for sizes in (size, stride, (offset,)):
            check_shape(sizes, 'tensor')
        if len(size) != len(stride):
            raise ValueError('a tensor has not as many strides as sizes')
        num_bytes, last = math.prod(size) * storage.dtype.itemsize, 0
        for step, length in sorted((step, length) for length, step in zip(size, stride) if length > 1):
            if step <= last and num_bytes:
                return Refused(f'a tensor of shape {size} that repeats its elements', is_object=False)
            last += step * (length - 1)
        self._allowed -= num_bytes
        if num_bytes and (offset + last + 1) * storage.dtype.itemsize > storage.memory.nbytes():
            return Refused(f'a tensor of shape {size} in {storage.memory.nbytes()} bytes', is_object=False)
        if self._allowed < 0:
            return Refused('one of too many tensors that share their memory', is_object=False)
        empty = torch.empty(0, dtype=storage.dtype, device=storage.memory.device)
        return empty.set_(storage.memory, offset if num_bytes else 0, size, stride)


def _refused_tensor(*args: Any) -> Refused:
    """Stand for a tensor of a data type without its own storages."""
    kind = args[6] if isinstance(args[6], torch.dtype) else 'an unknown kind'
    return Refused(f'a tensor of {kind}', is_object=False)


def _memory(buffer: bytearray) -> torch.UntypedStorage:
    """Return a storage in a buffer, which cannot grow."""
    return torch.frombuffer(buffer, dtype=torch.uint8).untyped_storage() if buffer else torch.UntypedStorage(0)


def _parse_id(persistent_id: Any) -> tuple[str, torch.dtype | None, Any, int]:
    """Return key, data type (None if it is quantized), location and number of elements of a storage."""
    if not isinstance(persistent_id, tuple) or len(persistent_id) not in (5, 6):
        raise ValueError('it names a storage as torch.save does not')
    kind, storage, key, location, num, *views = persistent_id
    if checked_name(kind) != 'storage' or not isinstance(storage, Refused) or views not in ([], [None]):
        raise ValueError('it names a storage as torch.save does not')
    if type(num) is not int or num < 0:
        raise ValueError('the size of a storage is no number')
    name = storage.what.removeprefix('torch.').removeprefix('cuda.')
    return checked_name(key), torch.uint8 if name == 'storage.UntypedStorage' else _STORAGES.get(name), location, num
