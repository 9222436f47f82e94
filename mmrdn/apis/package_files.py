# Copyright (c) mmrdn contributors. All rights reserved.
"""Configs and weights by name."""

import difflib
import os.path as osp
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

import mmrdn


class ZooModel(NamedTuple):
    """Where a model's config and weights are."""

    config: str  # path
    weights: str | None  # path or address, None if there are none


def find_model(name: str) -> ZooModel:
    """Find a config, and the weights that were published for it.

    Args:
        name (str): Path of a config; or, with or without ``.py``, the name of a config of the
            package (``rdn/NAME`` or ``NAME``) or of an entry of the model zoo
            (``configs/*/metafile.yml``).

    Returns:
        ZooModel: Weights are those of the entry; a path there is seen from
        the folder of ``model-index.yml``. A config that is given by its path has none.

    Raises:
        FileNotFoundError: There is nothing of this name.
    """
    name = str(name)
    if osp.isfile(name):
        return ZooModel(name, None)
    wanted = name.removesuffix('.py').removeprefix('configs/')
    names: list[str] = []
    for root in _roots():
        for metafile in sorted(root.glob('configs/*/metafile.yml')):
            for model in yaml.safe_load(metafile.read_text())['Models']:
                config = Path(model['Config'])
                path = config.relative_to('configs').with_suffix('')
                if wanted in (model['Name'], path.as_posix(), path.name):
                    return ZooModel(str(root / config), _resolve_weights(model.get('Weights'), root))
                names.append(model['Name'])
    close = difflib.get_close_matches(wanted.rsplit('/', 1)[-1], names, 1)
    hint = f', did you mean {close[0]}?' if close else ''
    raise FileNotFoundError(f'config {name} does not exist, and no config of the package has that name{hint}')


def find_tool(name: str) -> str:
    """Path of a tool of the package, such as ``train.py``."""
    for root in _roots():
        path = root / 'tools' / name
        if path.is_file():
            return str(path)
    raise FileNotFoundError(f'mmrdn is installed without tools/{name}')


def _resolve_weights(weights: str | None, root: Path) -> str | None:
    """An address as it is, a path from the root."""
    if weights is None or re.match('[a-z][a-z-]*://', weights):
        return weights
    return str(root / weights)


def _roots() -> Iterator[Path]:
    """Where ``configs`` is, and ``tools``: the checkout or a wheel's."""
    package = Path(mmrdn.__file__).resolve().parent
    for root in (package.parent, package / '.mim'):
        if (root / 'model-index.yml').is_file():
            yield root
