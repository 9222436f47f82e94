# Copyright (c) mmrdn contributors. All rights reserved.
import json

import pytest

from mmrdn.fileio.json_files import MAX_DEPTH, parse_json, read_json, write_json


def test_nan_becomes_null_and_nothing_partial_stays(tmp_path):
    path = tmp_path / 'summary.json'
    nan = float('nan')
    write_json(dict(a=nan, b=dict(c=1.5), d=[nan, 2], e=-float('inf')), path)
    content = json.loads(path.read_text())
    assert content == dict(a=None, b=dict(c=1.5), d=[None, 2], e=None)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    'content, message',
    [
        (b'[' * 200000, 'nested 200000 levels deep, expected 64 at most'),
        (b'{"a":' * 100, 'nested 100 levels deep'),
        (b'{"a": "]]]]\\"]]]", "b": ' + b'[' * 70 + b']' * 70 + b'}', 'nested 71 levels deep'),
        (b'{"a": 1, "b": 2, "a": 3}', 'truncated or broken JSON, an object has the key "a" twice'),
        (b'9' * 5000, 'truncated or broken JSON, Exceeds the limit'),
        ('{"a": 1}'.encode('utf-16'), 'truncated or broken JSON'),
        (b'{"a": ', 'truncated or broken JSON'),
    ],
)
def test_broken_json_names_its_file(content, message, tmp_path):
    path = tmp_path / 'a.json'
    path.write_bytes(content)
    with pytest.raises(ValueError) as error:
        read_json(path)
    assert str(error.value).startswith(f'{path}: {message}')


def test_json_at_the_limits_is_read():
    nested = '[' * (MAX_DEPTH - 1) + ']' * (MAX_DEPTH - 1)
    text = '{"brackets in text": "[[[[\\"[[", "\\\\": %s}' % nested
    assert parse_json(b'\xef\xbb\xbf' + text.encode(), 'a') == json.loads(text)
    assert parse_json(b'{"a": 1e999}', 'a') == dict(a=float('inf'))
