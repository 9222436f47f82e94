# Copyright (c) mmrdn contributors. All rights reserved.
import json
import math
import os
from typing import Any

from mmrdn.fileio.whole_file import whole_file


def write_json(data: Any, path: str | os.PathLike, indent: int | None = 2) -> None:
    """Write JSON, NaN as null, under its name only when complete.

    Args:
        data (Any): Content that JSON can hold.
        path (str or Path): Path of the file; its directory is made.
        indent (int, optional): Spaces of a level; None for as few bytes as possible.
    """
    separators = (',', ':') if indent is None else None
    text = json.dumps(_without_nan(data), indent=indent, separators=separators)
    with whole_file(path) as file:
        file.write(f'{text}\n'.encode())


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
