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
        ValueError: The file is no YAML in UTF-8, or nested too deeply.
    """
    content = read_named(path)
    try:
        return yaml.safe_load(content.decode())  # libyaml's loader overruns the stack at depth
    except (yaml.YAMLError, *YAML_ERRORS) as error:
        raise ValueError(f'{path}: no YAML, {" ".join(str(error).split())[:200]}') from None
