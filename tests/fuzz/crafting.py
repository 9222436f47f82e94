# Copyright (c) mmrdn contributors. All rights reserved.
"""Files in the format of ``torch.save`` that ``torch.save`` would not write."""

import io
import pickle
import zipfile
from collections import OrderedDict

import torch


class Reduced:
    """Pickled as the call of a function, and its state if there is one."""

    def __init__(self, function, *args, state=None):
        self._reduced = (function, args) if state is None else (function, args, state)

    def __reduce__(self):
        return self._reduced

    def __call__(self):
        """So that it may be pickled as the function of another one."""


class Storage:
    """Pickled as a storage of so many elements, whatever the file has."""

    def __init__(self, key, num, kind=torch.FloatStorage):
        self.key, self.num, self.kind = key, num, kind


class _Pickler(pickle.Pickler):
    def persistent_id(self, obj):
        if isinstance(obj, Storage):
            return ('storage', obj.kind, obj.key, 'cpu', obj.num)
        return None


def crafted_tensor(storage, size, stride, offset=0):
    """Pickled as a tensor in that storage."""
    return Reduced(torch._utils._rebuild_tensor_v2, storage, offset, size, stride, False, OrderedDict())


def write_zip(path, content, storages=None, compress=False):
    """Write an object, or the bytes of a pickle, and the bytes of storages by their names."""
    if not isinstance(content, bytes):
        buffer = io.BytesIO()
        _Pickler(buffer, 2).dump(content)
        content = buffer.getvalue()
    kind = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, 'w', kind) as archive:
        archive.writestr('archive/data.pkl', content)
        archive.writestr('archive/byteorder', 'little')
        for key, data in (storages or {}).items():
            archive.writestr(f'archive/data/{key}', data)
        archive.writestr('archive/version', '3\n')
