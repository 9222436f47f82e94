# Copyright (c) mmrdn contributors. All rights reserved.
"""YAML files whose comments, blank lines and style stay when an item changes."""

import io
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedBase
from ruamel.yaml.error import CommentMark, YAMLError
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.tokens import CommentToken

from mmrdn.fileio.yaml_files import YAML_ERRORS


def load_yaml(text: str) -> Any:
    """Read YAML as data that :func:`dump_yaml` writes as they were.

    Args:
        text (str): Content of a file.

    Returns:
        Any: Mappings and lists that know their comments, or a scalar.

    Raises:
        ValueError: The text is no YAML, or has aliases: the same text would be two items.
    """
    try:
        has_aliases = any(isinstance(event, AliasEvent) for event in _yaml().parse(text))
        data = _yaml().load(text)
    except (YAMLError, *YAML_ERRORS) as error:
        raise ValueError(f'no YAML: {error}') from error
    if has_aliases:
        raise ValueError('a YAML file with aliases cannot be changed')
    return data


def dump_yaml(data: Any) -> str:
    """Return data as YAML, keys in their order and one value a line."""
    text = io.StringIO()
    _yaml().dump(data, text)
    return text.getvalue()


def set_item(owner: dict | list, key: str | int, value: Any) -> None:
    """Replace an item of a mapping or list, or add it behind the others.

    Comments and blank lines that come after it in the file stay there.

    Args:
        owner (dict or list): Mapping or list from :func:`load_yaml`.
        key (str or int): Key of the item, or its index; the length of the list adds one.
        value (Any): Plain data.
    """
    is_new = key not in _keys(owner)
    if not is_new and value is not None and owner[key] == value:
        return
    before = _keys(owner)[-1:] if is_new else [key]
    tail = _move_tail(owner, before[0], '') if before else ''
    if is_new and isinstance(owner, list):
        if '\n\n' in dump_yaml(owner):  # a blank line between items
            _move_tail(owner, before[0], '\n')
        owner.append(None)
    owner[key] = load_yaml(dump_yaml(value))
    _move_tail(owner, key, tail)


def merge(owner: dict, new: dict[str, Any]) -> None:
    """Set the items of a mapping and, within them, of the mappings below.

    Args:
        owner (dict): Mapping from :func:`load_yaml`. Items that ``new`` lacks stay.
        new (dict): Plain data.
    """
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(owner.get(key), dict):
            merge(owner[key], value)
        else:
            set_item(owner, key, value)


def _yaml() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 2**31  # no line is broken
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _keys(owner: dict | list) -> list:
    return list(owner) if isinstance(owner, dict) else list(range(len(owner)))


def _move_tail(owner: dict | list, key: str | int, tail: str) -> str:
    """Put lines (comments, blank ones) behind the last line of an item, and return those before.

    ruamel.yaml keeps them with the last scalar, behind the comment on its own line.
    """
    while isinstance(owner[key], CommentedBase) and owner[key] and not owner[key].fa.flow_style():
        owner = owner[key]
        key = _keys(owner)[-1]
    slot = 2 if isinstance(owner, dict) else 0
    comments = owner.ca.items.setdefault(key, [None] * 4)
    old = comments[slot]
    line, _, old_tail = old.value.partition('\n') if old else ('', '', '')
    column = old.start_mark if line else CommentMark(0)
    comments[slot] = CommentToken(f'{line}\n{tail}', column) if line or tail else None
    return old_tail
