# Copyright (c) mmrdn contributors. All rights reserved.
"""A directory that ``tools/deployment/export_onnx.py`` wrote."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from mmrdn.fileio.fields import FLAG, INTEGER, NUMBER, OBJECT, SIZE, TEXT, Kind, check_entry
from mmrdn.fileio.json_files import read_json
from mmrdn.utils.text import shown
from mmrdn_runtime.graph import Graph
from mmrdn_runtime.resizing import RESIZES

FORMAT = 3
_FILES = ('extract.onnx', 'relate.onnx')
_APPEND = 'append.onnx'  # single-frame detectors lack it
_DTYPES = ('float32', 'int64', 'bool')
_MAX_STATE = 2**33  # bytes, of a part
_POSITIVE = Kind('a positive number', lambda value: NUMBER.holds(value) and value > 0)


class ModelDirectory:
    """The manifest and the files of an exported model, checked.

    Args:
        path (str or Path): The directory.

    Attributes:
        classes (list[str]): Class names in the order of the labels.
        preprocessing (dict): Settings of :class:`FramePreprocessor`.
        num_proposals (int): N, rows of a frame's proposals.
        channels (int): C, of a proposal's features.
        files (tuple[str, ...]): ``extract.onnx``, ``relate.onnx`` and, where there is a memory, ``append.onnx``.
        memory (dict or None): ``lookahead`` and ``num_support``; None for a single-frame detector.

    Raises:
        FileNotFoundError: There is no such directory, or a file of it is missing.
        ValueError: The path is none, or the manifest or a file is damaged, or of another version.
    """

    def __init__(self, path: str | Path) -> None:
        if not isinstance(path, str | Path):
            raise ValueError(f'path must be the path of a directory of an exported model, got {shown(path)}')
        self.path = Path(path)
        manifest = self.path / 'manifest.json'
        if not manifest.is_file():
            missing = 'it is a file' if self.path.is_file() else 'it does not exist'
            reason = 'there is no manifest.json in it' if self.path.is_dir() else missing
            raise FileNotFoundError(f'{self.path} is no directory of an exported model: {reason}')
        data, name = read_json(manifest), str(manifest)
        check_entry(data, dict(format=INTEGER), ['format'], name)
        if data['format'] != FORMAT:
            raise ValueError(f'{name}: format {data["format"]}, but this mmrdn-runtime reads format {FORMAT}')
        kinds = dict(preprocessing=OBJECT, num_proposals=SIZE, channels=SIZE, memory=OBJECT, files=OBJECT)
        check_entry(data, kinds, ['classes', 'preprocessing', 'num_proposals', 'channels', 'files'], name)
        self.classes = _list(data['classes'], TEXT, None, f"{name}: 'classes'")
        self.preprocessing = _preprocessing(data['preprocessing'], name)
        self.num_proposals, self.channels = data['num_proposals'], data['channels']
        self.memory = data.get('memory')
        self._state = {} if self.memory is None else _state(self.memory, name)
        self.files = _FILES if self.memory is None else (*_FILES, _APPEND)
        for file in self.files:
            self._check_file(file, data['files'].get(file))

    def new_state(self) -> dict[str, np.ndarray]:
        """Return the state before the first frame of a video, by name; none for a single-frame detector."""
        state = {name: np.zeros(shape, dtype) for name, (shape, dtype) in self._state.items()}
        if state:
            state['scores'][...] = -np.inf
        return state

    def check_graph(self, file: str, graph: Graph) -> None:
        """Compare the manifest with a graph.

        Args:
            file (str): File of the graph.
            graph (Graph): The graph.

        Raises:
            ValueError: They differ; names the input, or the number that the graph is made for.
        """
        path, inputs = self.path / file, self._inputs(file)
        for name in inputs | graph.inputs:
            found, expected = (
                f'{group[name][1]} {list(group[name][0])}' if name in group else 'no input'
                for group in (graph.inputs, inputs)
            )
            if (name in inputs or name.startswith('state_')) and found != expected:
                raise ValueError(f'{path}: {name} is {found}, expected {expected} by manifest.json')
        numbers = dict(num_classes=len(self.classes), lookahead=self.memory['lookahead'] if self.memory else 0)
        for name, value in numbers.items():
            noted = graph.metadata.get(name, str(value))  # a graph of an earlier export notes none
            if noted != str(value):
                raise ValueError(f'{path}: {name} is {shown(noted)}, expected {value} by manifest.json')

    def _inputs(self, file: str) -> dict[str, tuple[list[int], str]]:
        """Return shape and number format of those inputs of a graph that the manifest determines, by name."""
        extract, relate = _FILES
        inputs = {}
        if file == relate:
            inputs['key_feats'] = [self.num_proposals, self.channels], 'float32'
        if file != extract and self.memory is not None:
            inputs |= {f'state_{name}': part for name, part in self._state.items()}
            inputs['support_feats'] = [self.memory['num_support'], self.channels], 'float32'
        return inputs

    def _check_file(self, file: str, expected: Any) -> None:
        path = self.path / file
        if not path.is_file():
            raise FileNotFoundError(f'{path} is missing')
        if hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            raise ValueError(f'{path} is damaged or of another export: its SHA-256 is not that of manifest.json')


def _list(value: Any, kind: Any, length: int | None, name: str) -> list:
    """Return a list whose items are of a kind."""
    if not isinstance(value, list) or not value or length not in (None, len(value)):
        raise ValueError(f'{name} must be a list of {length or "some"}, got {shown(value)}')
    for item in value:
        if not kind.holds(item):
            raise ValueError(f'{name} must hold {kind.text}, got {shown(item)}')
    return value


def _preprocessing(data: dict, name: str) -> dict:
    name = f'{name}: preprocessing'
    kinds = dict(pad_size_divisor=SIZE, pad_value=NUMBER, bgr_to_rgb=FLAG)
    check_entry(data, kinds, ['scale', 'pad_size_divisor', 'pad_value'], name)
    _list(data['scale'], SIZE, 2, f"{name}: 'scale'")
    if data.get('mean') is not None or data.get('std') is not None:
        for key, kind in dict(mean=NUMBER, std=_POSITIVE).items():
            _list(data.get(key), kind, 3, f"{name}: '{key}'")
    resize = data.get('resize', 'keep_ratio')
    if not isinstance(resize, str) or resize not in RESIZES:
        raise ValueError(f"{name}: 'resize' must be one of {', '.join(RESIZES)}, got {shown(resize)}")
    keys = ('scale', 'mean', 'std', 'pad_size_divisor', 'pad_value')
    return {key: data.get(key) for key in keys} | dict(bgr_to_rgb=bool(data.get('bgr_to_rgb')), resize=resize)


def _state(memory: dict, name: str) -> dict[str, tuple[list[int], str]]:
    """Return shape and dtype of each part of the state."""
    name = f'{name}: memory'
    check_entry(
        memory, dict(lookahead=INTEGER, num_support=SIZE, state=OBJECT), ['lookahead', 'num_support', 'state'], name
    )
    if memory['lookahead'] < 0:
        raise ValueError(f"{name}: 'lookahead' must be 0 or more, got {memory['lookahead']}")
    found: dict[str, tuple[list[int], str]] = {}
    for key, part in memory['state'].items():
        check_entry(part, dict(dtype=TEXT), ['shape', 'dtype'], f"{name}: '{key}'")
        shape = _list(part['shape'], SIZE, None, f"{name}: '{key}'")
        if part['dtype'] not in _DTYPES or np.prod(shape, dtype=float) * np.dtype(part['dtype']).itemsize > _MAX_STATE:
            raise ValueError(f"{name}: '{key}' is a {part['dtype']} of shape {shape}, expected {' or '.join(_DTYPES)}")
        found[key] = shape, part['dtype']
    if 'scores' not in found:
        raise ValueError(f"{name}: 'state' must have 'scores'")
    return found
