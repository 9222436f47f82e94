# Copyright (c) mmrdn contributors. All rights reserved.
import os
from collections.abc import Sequence
from typing import Any

from mmrdn.fileio.fields import OBJECT, TEXT, check_entries
from mmrdn.fileio.yaml_files import read_yaml

_MODEL = dict(Name=TEXT, Config=TEXT, Weights=TEXT, Metadata=OBJECT)
_RESULT = dict(Task=TEXT, Dataset=TEXT, Metrics=OBJECT)


def read_models(path: str | os.PathLike, required: Sequence[str] = ('Name',)) -> list[dict[str, Any]]:
    """Read the models of a metafile of a model zoo, checked.

    Args:
        path (str or Path): The ``metafile.yml``.
        required (Sequence[str]): Fields that every model must have.

    Returns:
        list[dict]: Its ``Models``; what they hold of names, ``Config``, ``Weights``, ``Metadata`` and
        ``Results`` is of the right kind.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is broken; the message names file, entry and field.
    """
    content, name = read_yaml(path), str(path)
    models = list(check_entries(content, 'Models', _MODEL, required, name))
    for i, model in enumerate(models):
        if model.get('Results') is not None:
            check_entries(model, 'Results', _RESULT, tuple(_RESULT), f'{name}: Models[{i}]')
    if content.get('Collections') is not None:
        check_entries(content, 'Collections', dict(Name=TEXT), ('Name',), name)
    return models
