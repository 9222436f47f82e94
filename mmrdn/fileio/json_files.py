# Copyright (c) mmrdn contributors. All rights reserved.
"""JSON from outside, and JSON written whole."""

import json
import math
import os
import re
from typing import Any

import numpy as np

from mmrdn.fileio.named_file import read_named
from mmrdn.fileio.whole_file import whole_file

MAX_DEPTH = 64  # levels of lists and objects in one another

_BRACKETS = b'[]{}'
_STEPS = bytes.maketrans(_BRACKETS, b'\x01\xff\x01\xff')  # as signed bytes: in is 1, out is -1
_OTHERS = bytes(set(range(256)) - set(_BRACKETS))


def read_json(path: str | os.PathLike) -> Any:
    """Read a JSON file, see :func:`parse_json`.

    Raises:
        FileNotFoundError: There is no such file.
    """
    return parse_json(read_named(path), path)


def parse_json(content: bytes, name: str | os.PathLike) -> Any:
    """Return the value of a JSON text that may be anybody's.

    NaN and Infinity, which Python writes, are read; whoever needs a finite number checks it
    (:mod:`mmrdn.fileio.fields`).

    Args:
        content (bytes): The text in UTF-8.
        name (str or Path): Name of the file, for messages.

    Returns:
        Any: The value.

    Raises:
        ValueError: The text is no JSON, nested more than ``MAX_DEPTH`` deep, or an object has a key
            twice, of which one would be lost.
    """
    depth = nesting_depth(content)
    if depth > MAX_DEPTH:
        raise ValueError(f'{name}: nested {depth} levels deep, expected {MAX_DEPTH} at most')
    try:
        return json.loads(content.decode('utf-8-sig'), object_pairs_hook=distinct)
    except ValueError as error:
        problem = error if content.strip() else 'the file is empty'
        raise ValueError(f'{name}: truncated or broken JSON, {problem}') from None


def write_json(data: Any, path: str | os.PathLike, indent: int | None = 2) -> None:
    """Write JSON, NaN and infinity as null, under its name only when complete.

    Args:
        data (Any): Content that JSON can hold.
        path (str or Path): Path of the file; its directory is made.
        indent (int, optional): Spaces of a level; None for as few bytes as possible.
    """
    separators = (',', ':') if indent is None else None
    text = json.dumps(only_finite(data), indent=indent, separators=separators, allow_nan=False)
    with whole_file(path) as file:
        file.write(f'{text}\n'.encode())


def only_finite(value: Any) -> Any:
    """Return the value with None for numbers that are not finite, which JSON does not have."""
    if isinstance(value, dict):
        return {key: only_finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [only_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def nesting_depth(content: bytes) -> int:
    """Return how many lists and objects of a JSON text are open at once, at most."""
    if b'\\' in content:
        content = re.sub(rb'\\.', b'', content, flags=re.DOTALL)
    outside_strings = b''.join(content.split(b'"')[::2])
    steps = np.frombuffer(outside_strings.translate(_STEPS, _OTHERS), np.int8)
    return int(np.cumsum(steps, dtype=np.int64).max(initial=0))


def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object of these pairs."""
    found = dict(pairs)
    if len(found) < len(pairs):
        seen = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f'an object has the key "{key[:60]}" twice')
            seen.add(key)
    return found
