# Copyright (c) mmrdn contributors. All rights reserved.
"""Read the config that a checkpoint carries as text, without running it."""

import ast
import copy
import re
from typing import Any

from mmengine.config import Config

from mmrdn.utils.config_text import parse_config

COMPUTED = '\0computed'  # stands for a value that is not written out
_MAX_VALUES = 100_000
# Settings that weights depend on beyond their shapes.
_NEEDED = {'style', 'norm_cfg', 'anchor_generator', 'bbox_coder', 'mean', 'std', 'bgr_to_rgb', 'rgb_to_bgr'}

# Settings that are read, by their kind.
_DICTS = {'norm_cfg', 'anchor_generator', 'bbox_coder', 'bbox_head', 'shared_head'}
_NUMBERS = {'eps'}
_ROWS = dict(mean=3, std=3, target_means=4, target_stds=4)


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


def check_kinds(settings: dict, *path: str) -> None:
    """Refuse settings of another kind than mmdet's.

    Args:
        settings (dict): A part of the config of a detector.
        *path (str): Names that lead to that part.

    Raises:
        ValueError: There is such a setting; the message names it.
    """
    for key, value in settings.items():
        wanted = None
        if value is None:
            continue
        if key in _DICTS and not isinstance(value, dict):
            wanted = 'a dict'
        elif key in _NUMBERS and not _is_number(value):
            wanted = 'a number'
        elif key in _ROWS and not _are_numbers(value, _ROWS[key]):
            wanted = f'{_ROWS[key]} numbers'
        if wanted:
            raise ValueError(f'"{".".join((*path, key))}" of its config is a {type(value).__name__}, expected {wanted}')
        if isinstance(value, dict):
            check_kinds(value, *path, str(key))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -1e30 < value < 1e30


def _are_numbers(value: Any, num: int) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == num and all(map(_is_number, value))


def read_config_text(text: str) -> Config:
    """Read the literal values of a config.

    A config is Python. Only literals, ``dict(...)`` and names assigned earlier are understood here.
    Anything else is left out; in a dict ``COMPUTED`` takes its place. A dict that is assigned twice
    is merged: the text of older checkpoints is a file's bases and the file itself in a row, each
    after a line with its path.

    Args:
        text (str): Config in the ``meta`` of a checkpoint.

    Returns:
        Config: The values by name; empty if the text is no config, or grows too large.
    """
    text = re.sub(r'(?m)^[^\s=\'"()]+\.py$', '', text)
    literals = _Literals()
    try:
        for statement in parse_config(text):
            if isinstance(statement, ast.Assign) and all(isinstance(target, ast.Name) for target in statement.targets):
                literals.assign(statement)
    except (ValueError, TypeError, KeyError, RecursionError):
        return Config()
    return literals.values


class _Literals:
    """Values by name, a limited number of them: lists of lists of the same lists grow without end."""

    def __init__(self) -> None:
        self.values = Config()
        self._left = _MAX_VALUES

    def assign(self, statement: ast.Assign) -> None:
        """Add the value that a statement assigns, if it is written out."""
        try:
            value = self._literal(statement.value)
        except (_NotWrittenOutError, TypeError):
            return
        for target in statement.targets:
            known = self.values.get(target.id)
            if isinstance(value, dict) and isinstance(known, dict):
                self._spend(_count(known) + _count(value))
                self.values.merge_from_dict({target.id: value})
            else:
                self.values[target.id] = value

    def _spend(self, num: int) -> None:
        self._left -= num
        if self._left < 0:
            raise ValueError(f'the config has more than {_MAX_VALUES} values')

    def _literal(self, node: ast.expr) -> Any:
        """Return the value of an expression."""
        self._spend(1)
        if isinstance(node, (ast.List, ast.Tuple)):
            items = [self._literal(item) for item in node.elts]
            return items if isinstance(node, ast.List) else tuple(items)
        if isinstance(node, ast.Dict) and all(isinstance(key, ast.Constant) for key in node.keys):
            return self._known({key.value: value for key, value in zip(node.keys, node.values)})
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'dict' and not node.args:
            return self._known({word.arg: word.value for word in node.keywords if word.arg})
        if isinstance(node, ast.Name) and node.id in self.values:
            self._spend(_count(self.values[node.id]))
            return copy.deepcopy(self.values[node.id])
        try:
            return ast.literal_eval(node)
        except ValueError as error:
            raise _NotWrittenOutError from error

    def _known(self, items: dict[str, ast.expr]) -> dict[str, Any]:
        """Return the items of a dict, ``COMPUTED`` for those that are not written out."""
        known = {}
        for key, node in items.items():
            try:
                known[key] = self._literal(node)
            except (_NotWrittenOutError, TypeError):
                known[key] = COMPUTED
        return known


class _NotWrittenOutError(Exception):
    """A value would have to be computed."""


def _count(value: Any) -> int:
    """Return the number of values that a value consists of."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return 1 + sum(map(_count, items))
