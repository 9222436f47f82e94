# Copyright (c) mmrdn contributors. All rights reserved.
import json
import math
import os


def read_metrics(path: str | os.PathLike) -> dict[str, float]:
    """Read what ``tools/test.py`` measured.

    Args:
        path (str or Path): ``<time>.json`` in ``<work folder>/<time>``.

    Returns:
        dict[str, float]: By name, such as ``vid/mAP50``, from 0 to 1, in the
        order of the file. Those that are NaN, as of motion groups without ground truth, are left
        out, and so are times.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It holds no metrics.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f'metrics file {path} does not exist')
    with open(path, encoding='utf-8', errors='replace') as file:
        text = file.read()
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ValueError(f'{path} is not the JSON object that tools/test.py writes: {error}') from error
    found = found if isinstance(found, dict) else {}
    metrics = {name: value for name, value in found.items() if '/' in name and type(value) in (int, float)}
    if not metrics:
        raise ValueError(f'{path} holds no metrics such as vid/mAP50: expected what tools/test.py writes')
    return {name: value for name, value in metrics.items() if math.isfinite(value)}
