# Copyright (c) mmrdn contributors. All rights reserved.
"""A model without its wrapper, and its parts by dotted paths."""

from collections.abc import Sequence
from typing import Any

from mmengine.model import is_model_wrapper
from torch import nn

from mmrdn.utils.text import nearest


def part_paths(model: nn.Module, paths: Any, option: str) -> tuple[str, ...]:
    """Return the paths of parts, once each of them is known to be there.

    Args:
        model (nn.Module): The model.
        paths (str or Sequence[str]): Paths such as ``'detector.backbone'``.
        option (str): Name of the option that names them, for messages.

    Raises:
        ValueError: There is no such part, or it is the whole; names the nearest parts.
    """
    paths = tuple(paths) if isinstance(paths, Sequence) and not isinstance(paths, str) else (paths,)
    for path in paths:
        if not isinstance(path, str) or not path:
            raise ValueError(f'{option}: expected paths such as "detector.backbone", got {path!r}')
        try:
            model.get_submodule(path)
        except AttributeError:
            names = [name for name, _ in model.named_modules() if name]
            raise ValueError(
                f'{option}: {type(model).__name__} has no part "{path}", the nearest are {nearest(path, names)}'
            ) from None
    return paths


def unwrapped(model: nn.Module) -> Any:
    """Return a model without its data parallel wrapper."""
    return model.module if is_model_wrapper(model) else model
