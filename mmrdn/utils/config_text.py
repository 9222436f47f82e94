# Copyright (c) mmrdn contributors. All rights reserved.
"""Parse the text of a config in a checkpoint, which may be anybody's."""

import ast

_MAX_LENGTH = 2**21  # characters; a config has some ten thousand


def parse_config(text: str) -> list[ast.stmt]:
    """Return the statements of a config; nothing is run.

    Args:
        text (str): The config.

    Raises:
        ValueError: It is no config, too long, or nested too deeply.
    """
    if len(text) > _MAX_LENGTH:
        raise ValueError(f'the config in the checkpoint has {len(text)} characters, expected {_MAX_LENGTH} at most')
    try:
        return ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # the last one of the parser's own stack
        line, reason = getattr(error, 'lineno', 1), getattr(error, 'msg', None) or str(error) or 'nested too deeply'
        raise ValueError(f'line {line} of the config in the checkpoint: {reason}') from None
