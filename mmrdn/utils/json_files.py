# Copyright (c) mmrdn contributors. All rights reserved.
import json
import math
from pathlib import Path
from typing import Any


def write_json(data: Any, path: Path) -> None:
    """Write JSON, NaN as null, under its name only when complete."""
    partial = path.with_name(f'{path.name}.partial')
    partial.write_text(json.dumps(_without_nan(data), indent=2) + '\n')
    partial.replace(path)


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
