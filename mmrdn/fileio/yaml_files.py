# Copyright (c) mmrdn contributors. All rights reserved.
import os
from typing import Any

import yaml

from mmrdn.fileio.named_file import read_named

# What constructors of YAML packages raise for bad scalars, beside their own errors.
YAML_ERRORS = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)


def read_yaml(path: str | os.PathLike) -> Any:
    """Read a YAML file of plain values that may be anybody's.

    Args:
        path (str or Path): The file.

    Returns:
        Any: Its value.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no YAML in UTF-8, nested too deeply, or repeats lists or mappings by
            aliases: merged into one another a few bytes grow without end.
    """
    content = read_named(path)
    try:
        return yaml.load(content.decode(), _PlainLoader)  # libyaml's loader overruns the stack at depth
    except (yaml.YAMLError, *YAML_ERRORS) as error:
        raise ValueError(f'{path}: no YAML, {" ".join(str(error).split())[:200]}') from None


class _PlainLoader(yaml.SafeLoader):
    """A loader in which only scalars have aliases."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        is_alias = self.check_event(yaml.AliasEvent)
        node = super().compose_node(parent, index)
        if is_alias and not isinstance(node, yaml.ScalarNode):
            raise yaml.YAMLError('a list or mapping is repeated by an alias (*), expected it written out')
        return node
