# Copyright (c) mmrdn contributors. All rights reserved.
import copy
from collections.abc import Sequence
from typing import Any

import yaml

Path = Sequence[str | int]


class _Dumper(yaml.SafeDumper):
    """Writes lists as metafiles have them, further in than their key."""

    def increase_indent(self, flow: bool = False, indentless: bool = False):
        return super().increase_indent(flow, False)


def dump_yaml(data: Any) -> str:
    """Plain data as YAML: keys in their order, a line for each."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=float('inf'))


class YamlText:
    """A YAML file that is changed at one place after the other.

    Comments, blank lines and the way in which all else is written stay.

    Args:
        text (str): What the file holds, in block style.

    Raises:
        ValueError: It is no YAML of that kind.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            events = list(yaml.parse(text))
            self.data = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ValueError(f'no YAML: {error}') from error
        if any(isinstance(event, yaml.AliasEvent) for event in events):
            raise ValueError('a YAML file with aliases cannot be changed')

    def get(self, path: Path) -> Any:
        """The data at a path of keys and places; None if there are none."""
        found = self.data
        for part in path:
            try:
                found = found[part]
            except (KeyError, IndexError, TypeError):
                return None
        return found

    def merge(self, path: Path, value: dict) -> None:
        """Set the keys of a mapping and, within them, of those below.

        Args:
            path (Sequence[str | int]): Where the mapping is; made if nothing is there.
            value (dict): What becomes of its keys. Others stay.
        """
        if not isinstance(self.get(path), dict):
            self.set(path, value)
            return
        for key, item in value.items():
            if isinstance(item, dict):
                self.merge([*path, key], item)
            else:
                self.set([*path, key], item)

    def set(self, path: Path, value: Any) -> None:
        """Replace what is at a path, or add it behind its neighbours.

        Args:
            path (Sequence[str | int]): Keys and places, from the top; what it is in must be there.
            value (Any): Plain data.

        Raises:
            ValueError: It is in braces or brackets, which are not changed.
        """
        *above, last = path
        wanted = copy.deepcopy(self.data)
        owner = wanted
        for part in above:
            owner = owner[part]
        if isinstance(owner, list) and last == len(owner):
            owner.append(value)
        elif self.get(path) == value and value is not None:
            return
        else:
            owner[last] = value
        self._replace(above, last, value)
        self.data = yaml.safe_load(self.text)
        if self.data != wanted:
            raise ValueError(f'{_name(path)} cannot be changed in place')

    def _replace(self, above: Path, last: str | int, value: Any) -> None:
        """Change the text alone."""
        parent = yaml.compose(self.text)
        for part in above:
            parent = _child(parent, part)[1]
        if parent.flow_style:
            raise ValueError(f'{_name([*above, last])} is in braces or brackets, expected a line for each value')
        indent = parent.start_mark.column
        is_list = isinstance(parent, yaml.SequenceNode)
        lines = dump_yaml([value] if is_list else {last: value})
        new = lines.rstrip('\n').replace('\n', '\n' + ' ' * indent)
        found = _child(parent, last)
        if found is not None:
            start, node = found
            self.text = self.text[:start] + new + self.text[self._end(node) :]
            return
        ends = [self._end(_node(item)) for item in parent.value]
        at = self.text.find('\n', ends[-1])
        at = len(self.text) if at < 0 else at
        apart = len(ends) > 1 and '\n\n' in self.text[ends[-2] : _start(parent.value[-1])]
        self.text = self.text[:at] + ('\n\n' if apart else '\n') + ' ' * indent + new + self.text[at:]

    def _end(self, node: yaml.Node) -> int:
        """Where the last value of a node ends, without what follows it."""
        while not isinstance(node, yaml.ScalarNode) and node.value and not node.flow_style:
            node = _node(node.value[-1])
        text = self.text[: node.end_mark.index]
        return max(len(text.rstrip()), node.start_mark.index)


def _node(item: Any) -> yaml.Node:
    """The value of an item of a mapping or a list."""
    return item[1] if isinstance(item, tuple) else item


def _start(item: Any) -> int:
    """Where an item of a mapping or a list begins."""
    return (item[0] if isinstance(item, tuple) else item).start_mark.index


def _child(parent: yaml.Node, part: str | int) -> tuple | None:
    """Where a child's text begins, with its key or dash, and its node."""
    if isinstance(parent, yaml.SequenceNode):
        if part >= len(parent.value):
            return None
        node = parent.value[part]
        dash = parent.start_mark.column  # of all items
        return node.start_mark.index - node.start_mark.column + dash, node
    for key, node in parent.value:
        if key.value == part:
            return key.start_mark.index, node
    return None


def _name(path: Path) -> str:
    parts: list[str] = [str(part) for part in path]
    return '.'.join(parts)
