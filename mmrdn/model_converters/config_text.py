# Copyright (c) mmrdn contributors. All rights reserved.
"""Read the config that a checkpoint carries as text, without running it."""

import ast
import copy
import re
from typing import Any

from mmengine.config import Config

COMPUTED = '\0computed'  # stands for a value that is not written out
# Settings that weights depend on beyond their shapes.
_NEEDED = {'style', 'norm_cfg', 'anchor_generator', 'bbox_coder', 'mean', 'std', 'bgr_to_rgb', 'rgb_to_bgr'}


def check_written_out(settings: Any, *path: str) -> None:
    """Refuse settings that weights depend on and that would have to be computed.

    Args:
        settings (Any): A part of the config that :func:`read_config_text` returned.
        *path (str): Names that lead to that part.

    Raises:
        ValueError: There is such a setting; the message names it.
    """
    if isinstance(settings, dict):
        for key, value in settings.items():
            check_written_out(value, *path, key)
    elif settings == COMPUTED and not _NEEDED.isdisjoint(path):
        raise ValueError(f'"{".".join(path)}" of its config is computed')


def read_config_text(text: str) -> Config:
    """Read the literal values of a config.

    A config is Python. Only literals, ``dict(...)`` and names assigned earlier are understood here.
    Anything else is left out; in a dict ``COMPUTED`` takes its place. A dict that is assigned twice
    is merged: the text of older checkpoints is a file's bases and the file itself in a row, each
    after a line with its path.

    Args:
        text (str): Config in the ``meta`` of a checkpoint.

    Returns:
        Config: The values by name; empty if the text is no config.
    """
    text = re.sub(r'(?m)^[^\s=\'"()]+\.py$', '', text)
    values = Config()
    try:
        for statement in ast.parse(text).body:
            if isinstance(statement, ast.Assign) and all(isinstance(target, ast.Name) for target in statement.targets):
                _assign(statement, values)
    except (SyntaxError, ValueError, TypeError, KeyError, RecursionError, MemoryError):
        return Config()
    return values


def _assign(statement: ast.Assign, values: Config) -> None:
    """Add the value that a statement assigns, if it is written out."""
    try:
        value = _literal(statement.value, values)
    except (ValueError, TypeError):
        return
    for target in statement.targets:
        if isinstance(value, dict) and isinstance(values.get(target.id), dict):
            values.merge_from_dict({target.id: value})
        else:
            values[target.id] = value


def _literal(node: ast.expr, names: Config) -> Any:
    """Return the value of an expression; raise ValueError or TypeError if it is no literal."""
    if isinstance(node, (ast.List, ast.Tuple)):
        items = [_literal(item, names) for item in node.elts]
        return items if isinstance(node, ast.List) else tuple(items)
    if isinstance(node, ast.Dict) and all(isinstance(key, ast.Constant) for key in node.keys):
        return _known({key.value: value for key, value in zip(node.keys, node.values)}, names)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'dict' and not node.args:
        return _known({word.arg: word.value for word in node.keywords if word.arg}, names)
    if isinstance(node, ast.Name) and node.id in names:
        return copy.deepcopy(names[node.id])
    return ast.literal_eval(node)


def _known(items: dict[str, ast.expr], names: Config) -> dict[str, Any]:
    """Return the items of a dict, ``COMPUTED`` for those that are not written out."""
    known = {}
    for key, node in items.items():
        try:
            known[key] = _literal(node, names)
        except (ValueError, TypeError):
            known[key] = COMPUTED
    return known
