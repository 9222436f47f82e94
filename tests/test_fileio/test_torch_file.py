# Copyright (c) mmrdn contributors. All rights reserved.
"""What ``torch.save`` writes is read as ``torch.load`` reads it; what it would not write is refused."""

import os
import pickle
import resource
import time
from collections import Counter, OrderedDict

import numpy as np
import pytest
import torch
from fuzz.crafting import Reduced, Storage, crafted_tensor, write_zip

from mmrdn.fileio.checkpoint import load_checkpoint_file

CORE = np._core if hasattr(np, '_core') else np.core
FORMATS = [dict(), dict(_use_new_zipfile_serialization=False), dict(pickle_protocol=4), dict(pickle_protocol=5)]


def peak_memory():
    """Bytes that this process has used at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.fixture
def refused(tmp_path):
    """The message of a file that must be refused, at once and in little memory."""

    def call(content, storages=None, **kwargs):
        path = tmp_path / 'x.pth'
        if storages is None:
            torch.save(content, path, **kwargs)
        else:
            write_zip(path, content, storages, **kwargs)
        before, start = peak_memory(), time.perf_counter()
        with pytest.raises(ValueError) as error:
            load_checkpoint_file(path)
        assert peak_memory() - before < 2**28 and time.perf_counter() - start < 10
        assert '\n' not in str(error.value)
        return str(error.value).removeprefix(f'checkpoint {path}').lstrip(': ')

    return call


@pytest.mark.parametrize('options', FORMATS)
def test_tensors(options, tmp_path):
    """All kinds of numbers, views, orders of memory and sizes, and tensors that share memory."""
    base = torch.arange(24.0)
    tensors = dict(
        view=base[3:9:2],
        permuted=base.view(2, 3, 4).permute(2, 0, 1),
        channels_last=torch.arange(48.0).view(1, 3, 4, 4).to(memory_format=torch.channels_last),
        scalar=torch.tensor(3),
        empty=torch.ones(0, 7),
        parameter=torch.nn.Parameter(torch.ones(2)),
        **{
            str(kind): torch.arange(6).to(kind)
            for kind in (torch.bfloat16, torch.half, torch.int8, torch.bool, torch.double)
        },
    )
    torch.save(tensors, tmp_path / 'x.pth', **options)
    found, expected = load_checkpoint_file(tmp_path / 'x.pth'), torch.load(tmp_path / 'x.pth', weights_only=False)
    assert list(found) == list(tensors)
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor) and found[name].stride() == tensor.stride(), name
        assert found[name].dtype == tensor.dtype
    found['view'][0] = 77.0  # element 3, which the other one has at [3, 0, 0]
    assert found['permuted'][3, 0, 0] == 77


@pytest.mark.parametrize('options', FORMATS)
def test_arrays_and_small_things(options, tmp_path):
    arrays = [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.zeros((0, 2)),
        np.array(5),
    ]
    arrays += [np.arange(3).astype(kind) for kind in ('>i4', 'u2', 'bool', 'f2', 'c8')]
    versions = OrderedDict(a=dict(version=2))
    state = OrderedDict(weight=torch.ones(1))
    state._metadata = versions
    content = dict(
        arrays=arrays, number=np.float32(0.1), kind=torch.float16, size=torch.Size([1, 2]), count=Counter({3: 1}),
        device=torch.device('cuda', 1), some={1, 'a'}, frozen=frozenset([2]), data=b'\xff\x00', more=bytearray(b'ab'),
        complex=1 + 2j, state_dict=state,
    )  # fmt: skip
    torch.save(content, tmp_path / 'x.pth', **options)
    found = load_checkpoint_file(tmp_path / 'x.pth')
    for array, expected in zip(found.pop('arrays'), content.pop('arrays'), strict=True):
        assert np.array_equal(array, expected) and array.shape == expected.shape
        assert array.dtype.kind == expected.dtype.kind and array.dtype.itemsize == expected.dtype.itemsize
        array[...] = 0  # may be written to
    assert found.pop('state_dict')._metadata == content.pop('state_dict')._metadata
    assert found == content and [type(value) for value in found.values()] == [type(v) for v in content.values()]


def test_to_a_device(tmp_path):
    torch.save(dict(a=torch.ones(2)), tmp_path / 'x.pth')
    assert load_checkpoint_file(tmp_path / 'x.pth', 'meta')['a'].device.type == 'meta'
    seen = []
    load_checkpoint_file(tmp_path / 'x.pth', lambda storage, location: seen.append(location) or storage)
    assert seen == ['cpu']


@pytest.mark.parametrize(
    'tensor, what',
    [
        (torch.ones(1).expand(10**11), 'a tensor of shape (100000000000,) that repeats its elements'),
        (torch.ones(4).as_strided((2, 3), (1, 1)), 'a tensor of shape (2, 3) that repeats its elements'),
        (torch.eye(2).to_sparse(), 'a sparse tensor'),
        (torch.ones(2, device='meta'), 'a tensor without values'),
        (torch.nested.nested_tensor([torch.ones(1), torch.ones(2)]), 'a nested tensor'),
        (torch.ones(2).to(torch.float8_e4m3fn), 'a tensor of torch.float8_e4m3fn'),
        (np.array([None]), 'a numpy array of objects, texts or records'),
        (np.array(['a']), 'a numpy array of objects, texts or records'),
        (np.zeros(1, dtype=[('a', 'f4')]), 'a numpy array of objects, texts or records'),
    ],
)
def test_strange_tensors_are_refused_by_their_place(tensor, what, refused):
    assert refused(dict(some=[dict(weight=tensor)])).startswith(f'some.0.weight is {what}, expected a dense tensor')


def test_a_quantized_tensor(refused):
    tensor = torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)
    for options in FORMATS:
        assert refused(dict(state_dict=dict(a=tensor)), **options).startswith('state_dict.a is a quantized tensor')


@pytest.mark.parametrize(
    'num, size, stride, offset, message',
    [
        (4, (4,), (1,), 0, None),
        (4, (5,), (1,), 0, 'a.0 is a tensor of shape (5,) in 16 bytes'),
        (4, (2, 2), (3, 1), 0, 'a.0 is a tensor of shape (2, 2) in 16 bytes'),
        (4, (4,), (1,), 1, 'a.0 is a tensor of shape (4,) in 16 bytes'),
        (4, (2**40,), (0,), 0, 'a.0 is a tensor of shape (1099511627776,) that repeats its elements'),
        (4, (-1,), (1,), 0, 'is truncated or damaged (the shape of a tensor is not one)'),
        (4, (1.5,), (1,), 0, 'is truncated or damaged (the shape of a tensor is not one)'),
        (2**40, (4,), (1,), 0, "is truncated or damaged (storage '0' has 16 bytes, its tensors say 4398046511104)"),
        (-1, (4,), (1,), 0, 'is truncated or damaged (the size of a storage is no number)'),
    ],
)
def test_tensors_that_their_storage_cannot_hold(num, size, stride, offset, message, refused, tmp_path):
    tensor = crafted_tensor(Storage('0', num), size, stride, offset)
    if message is None:
        write_zip(tmp_path / 'x.pth', dict(a=[tensor]), {'0': np.arange(4, dtype='f4').tobytes()})
        assert load_checkpoint_file(tmp_path / 'x.pth')['a'][0].tolist() == [0, 1, 2, 3]
    else:
        assert message in refused(dict(a=[tensor]), {'0': b'\0' * 16})


def test_a_storage_of_the_old_format_is_as_large_as_it_says(tmp_path):
    """Claimed by the pickle, or in front of its bytes."""
    path = tmp_path / 'x.pth'
    torch.save(dict(a=torch.zeros(77)), path, _use_new_zipfile_serialization=False)
    data = path.read_bytes()
    assert data.count(b'K\x4d') == 2  # BININT1 77 in the storage and in the shape
    path.write_bytes(data.replace(b'K\x4d', b'J\xff\xff\xff\x7f', 1))
    with pytest.raises(ValueError, match='lacks storages that it names'):
        load_checkpoint_file(path)
    path.write_bytes(data.replace((77).to_bytes(8, 'little'), (78).to_bytes(8, 'little')))
    with pytest.raises(ValueError, match='is not as large as its tensors say'):
        load_checkpoint_file(path)


def test_tensors_that_share_memory_too_often(refused):
    tensors = {str(i): crafted_tensor(Storage('0', 2**18), (2**18,), (1,)) for i in range(40)}
    assert 'is one of too many tensors that share their memory' in refused(tensors, {'0': b'\0' * 2**20})


@pytest.mark.parametrize(
    'content, message',
    [
        (Reduced(np.dtype, ('f8',)), 'a name is a tuple, expected text'),
        (Reduced(Counter, [((1, 2), 1)]), 'a key is a tuple, expected text or an integer'),
        (Reduced(getattr, Reduced(os.system), ['a']), 'a name is a list, expected text'),
        (Reduced(torch.device, 'c' * 201), 'a name is a str, expected text of at most 200 characters'),
        (Reduced(torch._utils._rebuild_tensor_v3, *[None] * 6, [1], None), 'a is a tensor of an unknown kind'),
        (crafted_tensor(Storage('0' * 201, 1), (1,), (1,)), 'a name is a str, expected text of at most 200 characters'),
        (crafted_tensor(Storage('0', 1), (1,) * 65, (1,) * 65), 'the shape of a tensor is not one'),
        (crafted_tensor(Storage('0', 1), (2**63,), (1,)), 'the shape of a tensor is not one'),
        (crafted_tensor((Storage('0', 1), torch.float32), (1,), (1,)), 'a is a tensor without a storage, expected'),
        (Storage('0', 1), 'a is a storage without a tensor, expected'),
    ],
)
def test_what_could_take_for_ever_is_refused_by_its_kind(content, message, refused):
    """Names, keys and shapes; files that do are in fuzz/payloads.py."""
    assert message in refused(dict(a=content), {'0': b'\0' * 4})


@pytest.mark.parametrize('keys', [[('0',)], [['0']], None, ['0', '0'], ['1']])
def test_storages_of_the_old_format_are_told_apart_by_text(keys, tmp_path):
    path = tmp_path / 'x.pth'
    torch.save(dict(a=torch.zeros(77)), path, _use_new_zipfile_serialization=False)
    data = path.read_bytes()
    head, _, tail = data.rpartition(b'\x80\x02]q\x00')
    assert tail.count(b'e.') or tail.count(b'a.')
    path.write_bytes(head + pickle.dumps(keys, 2) + tail[-(8 + 77 * 4) :])
    with pytest.raises(ValueError, match='is truncated or damaged'):
        load_checkpoint_file(path)


def test_zeros_by_the_billion(refused):
    """``bytearray(n)``, which torch's own reader allows."""
    assert 'is truncated or damaged' in refused(dict(a=Reduced(bytearray, 10**11)), {})


def test_compressed_entries(refused):
    message = refused(dict(a=[0] * 10**5), {}, compress=True)
    assert "('archive/data.pkl' is compressed, which torch.save does not do)" in message


@pytest.mark.parametrize(
    'state, what',
    [
        ((3, '<', (np.dtype('O'), (1,)), None, None, -1, -1, 0), 'a numpy data type has fields'),
        ((3, '<', None, ('a',), {'a': (np.dtype('O'), 0)}, 8, 8, 0), 'a numpy data type has fields'),
        ((3, 'x', None, None, None, -1, -1, 0), 'a numpy data type has fields'),
    ],
)
def test_data_types_whose_state_says_something_else(state, what, refused):
    """Eight bytes of the file would be an address."""
    kind = Reduced(np.dtype, 'f8', False, True, state=state)
    array = Reduced(CORE.multiarray._reconstruct, np.ndarray, (0,), b'b', state=(1, (1,), kind, False, b'A' * 8))
    assert what in refused(dict(a=array))
    assert what in refused(dict(a=Reduced(CORE.multiarray.scalar, kind, b'A' * 8)))


def test_arrays_of_another_size_than_their_bytes(refused):
    state = (1, (3,), np.dtype('f8'), False, b'A' * 16)
    array = Reduced(CORE.multiarray._reconstruct, np.ndarray, (0,), b'b', state=state)
    assert 'a numpy array of shape (3,) has 16 bytes' in refused(dict(a=array))


def test_values_that_grow_without_end(refused):
    shared, itself, deep = [0], {}, []
    for _ in range(40):
        shared = [shared, shared]
    itself['itself'] = itself
    for _ in range(100):
        deep = [deep]
    assert 'holds more than 10000000 values' in refused(dict(a=shared))
    assert 'holds itself' in refused(dict(a=itself))
    assert 'holds more than 10000000 values' in refused(dict(a=['n' * 2**20] * 1000))
    assert 'holds more than 10000000 values' in refused(dict(a=[{'n' * 2**20: 1}] * 1000))
    assert 'is nested more than 64 deep' in refused(dict(a=deep))
