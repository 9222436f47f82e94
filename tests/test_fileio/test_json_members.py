# Copyright (c) mmrdn contributors. All rights reserved.
import json
import math
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrdn.fileio import json_members as module
from mmrdn.fileio.json_files import MAX_DEPTH, parse_json
from mmrdn.fileio.json_members import json_members

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(), v, max_size=3), max_leaves=9
)


def whole(content):
    """Return the object that all members make up."""
    members = ((k, list(v) if isinstance(v, Iterator) else v) for k, v in json_members(content, 'a.json'))
    return dict(members)


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(st.dictionaries(st.text(), VALUES, max_size=4), st.sampled_from([None, 1]), st.booleans(), st.integers(1, 9))
def test_members_are_those_of_the_whole_text_whatever_the_window(value, indent, ascii_only, window):
    before, module._WINDOW = module._WINDOW, window
    try:
        content = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode('utf-8', 'surrogatepass')
        if ascii_only or all(ord(c) < 0xD800 or ord(c) > 0xDFFF for c in content.decode('utf-8', 'surrogatepass')):
            assert whole(content) == value
    finally:
        module._WINDOW = before


def test_lists_that_nobody_reads_are_passed_over():
    content = b'\xef\xbb\xbf {"a": [1, {"b": [2]}], "c": 12, "d": [], "e": [NaN, 1e999]}\n'
    keys = [key for key, _ in json_members(content, 'a.json')]
    assert keys == ['a', 'c', 'd', 'e']
    found = dict(whole(content))
    assert math.isnan(found['e'].pop(0)) and found == dict(a=[1, dict(b=[2])], c=12, d=[], e=[math.inf])


@pytest.mark.parametrize(
    'content, message',
    [
        (b'', 'truncated or broken JSON, Expecting value: line 1 column 1'),
        (b'[1]', 'expected a JSON object, got list'),
        (b'{"a": [{"b": 1, "b": 2}]}', 'truncated or broken JSON, an object has the key "b" twice'),
        (b'{"a": [{"b": ":", "b": 2}]}', 'truncated or broken JSON, an object has the key "b" twice'),
        (b'{"a": [], "a": []}', 'truncated or broken JSON, an object has the key "a" twice'),
        (b'{"a": [1,]}', 'truncated or broken JSON, Expecting value: line 1 column 10'),
        (b'{"a": [1 2]}', "truncated or broken JSON, Expecting ',' delimiter: line 1 column 10"),
        (b'{"a": [1],\n "b" 2}', "truncated or broken JSON, Expecting ':' delimiter: line 2 column 6"),
        (b'{"a": [{"b": 1', "truncated or broken JSON, Expecting ',' delimiter"),
        (b'{"a": "x', 'truncated or broken JSON, Unterminated string'),
        (b'{"a": 1} x', 'truncated or broken JSON, Extra data: line 1 column 10'),
        (b'{"a": ' + b'[' * 200000, 'nested 200001 levels deep, expected 64 at most'),
        (b'{"a": ' + b'[' * 70 + b']' * 70 + b'}', 'nested 71 levels deep'),
        ('{"a": 1}'.encode('utf-16'), 'truncated or broken JSON, no UTF-8'),
        (b'{"a": ' + b'9' * 5000 + b'}', 'truncated or broken JSON, Exceeds the limit'),
    ],
)
def test_broken_text_is_refused_in_one_line(content, message):
    with pytest.raises(ValueError) as error:
        whole(content)
    assert str(error.value).startswith(f'a.json: {message}')
    assert '\n' not in str(error.value)


def test_the_deepest_text_is_read():
    content = ('{"a": ' + '[' * (MAX_DEPTH - 1) + ']' * (MAX_DEPTH - 1) + '}').encode()
    assert whole(content) == parse_json(content, 'a')
