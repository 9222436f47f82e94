# Copyright (c) mmrdn contributors. All rights reserved.
import json
import math
import os


def read_metrics(path: str | os.PathLike) -> dict[str, float]:
    """Read the metrics that ``tools/test.py`` wrote.

    Args:
        path (str or Path): Path of ``<time>.json`` in ``<work directory>/<time>``.

    Returns:
        dict[str, float]: Metrics from 0 to 1 by name, such as ``vid/mAP50``, in the order of the
        file. Those that are NaN (motion groups without ground truth) and times are left out.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file holds no metrics.
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
