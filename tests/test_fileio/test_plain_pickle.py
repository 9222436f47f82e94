# Copyright (c) mmrdn contributors. All rights reserved.
import io
import os
import pickle
import random
import time

import pytest

from mmrdn.fileio.plain_pickle import PlainPickle, Refused, Unbuilt


def load(data, known=None, constants=None):
    return PlainPickle(known or {}, constants or {}, lambda key: ('stored', key)).load(io.BytesIO(data))


def random_value(rng, depth=0):
    """Plain values of all kinds, some of them shared."""
    leaves = [
        None,
        True,
        False,
        0,
        -1,
        255,
        256,
        70000,
        -(2**31),
        2**80,
        1.5,
        -0.0,
        'a',
        'ä\n"',
        'x' * 300,
        b'',
        b'\x00\xff',
    ]
    if depth > 3 or rng.random() < 0.3:
        return rng.choice(leaves)
    items = [random_value(rng, depth + 1) for _ in range(rng.randrange(5))]
    shared = items[:1] * 2
    kind = rng.choice([list, tuple, 'dict', 'set'])
    if kind == 'dict':
        return {rng.choice(['k', 'l', 3, None, b'm']) if i else i: item for i, item in enumerate(items + shared)}
    if kind == 'set':
        return {rng.choice(['a', 1, None]) for _ in items}
    return kind(items + shared)


@pytest.mark.parametrize('protocol', range(2, 6))
def test_plain_values_are_those_of_pickle(protocol):
    """All protocols that torch.save may write."""
    known = {
        'builtins.set': lambda items=(): set(items),
        '_codecs.encode': lambda text, codec: text.encode(codec),
        'builtins.bytes': bytes,
    }
    rng = random.Random(protocol)
    for _ in range(200):
        value = random_value(rng)
        found = load(pickle.dumps(value, protocol), known)
        assert found == value and repr(found) == repr(pickle.loads(pickle.dumps(value, protocol)))


def test_shared_values_stay_shared():
    inner = [1]
    first, second = load(pickle.dumps([inner, inner], 2))
    assert first is second


def test_nothing_is_called_imported_or_changed(tmp_path):
    """A name without an entry stands for itself, whatever is done with it."""
    made = tmp_path / 'made'

    class Intruder:
        def __reduce__(self):
            return os.system, (f'touch {made}',), {'a': 1}, iter([1]), iter([('k', 2)])

    found = load(pickle.dumps([Intruder()], 2))[0]
    assert isinstance(found, Refused) and found.what.endswith('system') and found.is_object
    assert load(b'cno.such.module\nname\n.').what == 'no.such.module.name'
    assert not made.exists()
    for data in (
        b'(X\x07\0\0\0touch xios\nsystem\n.',
        b'(cos\nsystem\nX\x01\0\0\0xo.',
        b'\x80\x02\x82\x01.',
        b'Np0\n.',
    ):  # INST, OBJ, EXT1, and PUT of protocol 0
        with pytest.raises(ValueError, match='is not one that torch.save writes'):
            load(data)


def test_only_names_of_the_table_are_called():
    """Not a value of the file, nor what a function has given."""
    with pytest.raises(ValueError, match='a str is called'):
        load(pickle.dumps('text', 2)[:-1] + b')R.')
    with pytest.raises(ValueError, match='a str is given a state'):
        load(pickle.dumps('text', 2)[:-1] + b'}b.')
    assert load(b'cour\nname\nK\x03\x85R.', {'our.name': lambda number: number + 1}) == 4


def test_a_state_takes_the_place_of_what_waits_for_it():
    """Also where the pickle refers to it later; without a state it is refused."""
    known = {'our.box': lambda: Unbuilt('our.box', lambda state: ('built', state))}
    assert load(b'](cour\nbox\n)Rq\x00K\x07bh\x00e.', known) == [('built', 7), ('built', 7)]
    assert isinstance(load(b'cour\nbox\n)R.', known), Refused)


def test_keys_that_take_for_ever_to_hash():
    """((((), ()), ((), ())), ...) of 60 levels has 2**60 parts, and so have its hashes."""
    deep = b')' + b''.join(b'q\x00h\x00\x86' for _ in range(60))
    start = time.perf_counter()
    for data in (b'}' + deep + b'Ns.', b'\x8f(' + deep + b'\x90.', b'}\x8a\x09' + b'\x01' * 9 + b'Ns.'):
        with pytest.raises(ValueError, match='expected text or an integer'):
            load(data)
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize('name', [pytest.param(b'](' + b'NN' + b'e', id='list'), b'X\xc9\0\0\0' + b'n' * 201])
def test_names_are_short_texts(name):
    """Others may take for ever to print, or grow with each attribute of an attribute."""
    for data in (b'X\x01\0\0\0a' + name + b'\x93.', name + b'X\x01\0\0\0a\x93.'):
        with pytest.raises(ValueError, match='expected text of at most 200 characters'):
            load(data)
    with pytest.raises(ValueError, match='expected text of at most 200 characters'):
        load(b'c' + b'm' * 201 + b'\nname\n.')


def test_a_part_that_many_calls_copy():
    """Each copy counts; what is not shared takes its length of the file once."""
    known = {'our.copy': lambda text: text.encode(), 'our.box': lambda: Unbuilt('our.box', lambda state: state[0][:])}
    text = b'X' + (10**4).to_bytes(4, 'little') + b't' * 10**4
    copies = load(b'](' + (b'cour\ncopy\n' + text + b'\x85R') * 100 + b'e.', known)
    assert copies == [b't' * 10**4] * 100
    for call in (b'cour\ncopy\nh\x00\x85R', b'cour\nbox\n)Rh\x00\x85b'):
        with pytest.raises(ValueError, match='its parts are copied too often'):
            load(text + b'q\x000](' + call * 200 + b'e.', known)


@pytest.mark.parametrize(
    'data', [b'', b'\x80\x02', b'}', b'h\x05.', b'(.', b'K\x01K\x02.', b'\x80\x02X\xff\xff\xff\x7fabc.']
)
def test_damage(data):
    with pytest.raises((ValueError, KeyError, IndexError)):
        load(data)
