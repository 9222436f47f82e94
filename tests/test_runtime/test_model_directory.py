# Copyright (c) mmrdn contributors. All rights reserved.
"""Directories that are no exported model of this version get one line."""

import hashlib
import json

import numpy as np
import pytest

import helpers.exported  # noqa: F401  (puts the runtime on the path)
from mmrdn_runtime.model_directory import ModelDirectory


@pytest.fixture
def directory(tmp_path):
    files = {'extract.onnx': b'graph', 'relate.onnx': b'another', 'append.onnx': b'third'}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    preprocessing = dict(scale=[96, 72], mean=[1.0, 2, 3], std=[1.0, 1, 1], pad_size_divisor=16, pad_value=0.0)
    state = dict(scores=dict(shape=[8], dtype='float32'), valid=dict(shape=[8], dtype='bool'))
    manifest = dict(
        format=3,
        classes=['a', 'b'],
        preprocessing=preprocessing,
        num_proposals=16,
        channels=24,
        memory=dict(lookahead=2, num_support=4, state=state),
        files={name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    )
    (tmp_path / 'manifest.json').write_text(json.dumps(manifest))
    return tmp_path


def test_good_directory(directory):
    model = ModelDirectory(directory)
    assert model.files == ('extract.onnx', 'relate.onnx', 'append.onnx')
    assert model.classes == ['a', 'b'] and model.memory['lookahead'] == 2
    state = model.new_state()
    assert state['scores'].tolist() == [-np.inf] * 8 and state['valid'].tolist() == [False] * 8


@pytest.mark.parametrize(
    ('path', 'value', 'message'),
    [
        (['format'], 2, 'format 2, but this mmrdn-runtime reads format 3'),
        (['format'], None, "must have the field 'format'"),
        (['classes'], [], "'classes' must be a list of some"),
        (['classes'], ['a', 3], "'classes' must hold a string, got 3"),
        (['channels'], -1, "'channels' must be a positive integer"),
        (['preprocessing', 'scale'], [96], "'scale' must be a list of 2"),
        (['preprocessing', 'mean'], [1, 2, 'x'], "'mean' must hold a finite number, got x"),
        (['preprocessing', 'mean'], None, "'mean' must be a list of 3, got None"),
        (['preprocessing', 'std'], None, "'std' must be a list of 3, got None"),
        (['preprocessing', 'std'], [1, 0, 1], "'std' must hold a positive number, got 0"),
        (['preprocessing', 'bgr_to_rgb'], 'no', "'bgr_to_rgb' must be true or false, got 'no'"),
        (['preprocessing'], 'resize', "'preprocessing' must be an object, got 'resize'"),
        (['memory'], [3], "'memory' must be an object, got [3]"),
        (['preprocessing', 'resize'], 'crop', "'resize' must be one of keep_ratio, shorter_side, got crop"),
        (['memory', 'lookahead'], -2, "'lookahead' must be 0 or more, got -2"),
        (['memory', 'state', 'scores', 'dtype'], 'object', "'scores' is a object"),
        (['memory', 'state', 'scores', 'shape'], [10**6, 10**6], "'scores' is a float32 of shape"),
        (['memory', 'state'], {}, "'state' must have 'scores'"),
        (['files', 'relate.onnx'], 'x', 'relate.onnx is damaged or of another export'),
    ],
)
def test_wrong_manifest(path, value, message, directory):
    manifest = directory / 'manifest.json'
    data = json.loads(manifest.read_text())
    *parents, last = path
    inner = data
    for key in parents:
        inner = inner[key]
    inner[last] = value
    manifest.write_text(json.dumps(data))
    with pytest.raises(ValueError) as error:
        ModelDirectory(directory)
    assert message in str(error.value) and str(directory) in str(error.value) and '\n' not in str(error.value)


def test_missing_and_broken_files(directory):
    (directory / 'relate.onnx').unlink()
    with pytest.raises(FileNotFoundError, match='relate.onnx is missing'):
        ModelDirectory(directory)
    (directory / 'manifest.json').write_text('[1]')
    with pytest.raises(ValueError, match=r'manifest.json must be an object, got \[1\]$'):
        ModelDirectory(directory)
    (directory / 'manifest.json').write_text('{"format": 1')
    with pytest.raises(ValueError, match='manifest.json: truncated or broken JSON'):
        ModelDirectory(directory)
    (directory / 'manifest.json').unlink()
    with pytest.raises(FileNotFoundError, match='is no directory of an exported model'):
        ModelDirectory(directory)
