# Copyright (c) mmrdn contributors. All rights reserved.
"""Parse the text of a config in a checkpoint, which is untrusted."""

import ast
import re

_MAX_LENGTH = 2**18  # characters; a config has some ten thousand
# Settings of one run on one machine, not of the model; the last two of MMDetection 2.
_RUN_SETTINGS = ('work_dir', 'load_from', 'resume', 'launcher', 'resume_from', 'auto_resume')
_NAMESPACES = ('globals', 'locals', 'vars')


def parse_config(text: str) -> list[ast.stmt]:
    """Return the statements of a config; nothing is run.

    Args:
        text (str): The config.

    Raises:
        ValueError: It is not a config, too long, or nested too deeply.
    """
    if len(text) > _MAX_LENGTH:
        raise ValueError(f'the config in the checkpoint has {len(text)} characters, expected {_MAX_LENGTH} at most')
    try:
        return ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # the last one of the parser's own stack
        line, reason = getattr(error, 'lineno', 1), getattr(error, 'msg', None) or str(error) or 'nested too deeply'
        raise ValueError(f'line {line} of the config in the checkpoint: {reason}') from None


def without_run(text: str) -> str:
    """Return the text of a config without the settings of one run.

    Args:
        text (str): The config.

    Raises:
        ValueError: See :func:`parse_config`.
    """
    statements = parse_config(text)
    private = [node for node in statements if not _names_set_in(node).isdisjoint(_RUN_SETTINGS)]
    kept = [node for node in statements if node not in private]
    dropped = {number for node in private for number in _line_numbers(node)}
    if not dropped.isdisjoint(number for node in kept for number in _line_numbers(node)):
        try:
            return ast.unparse(ast.Module(kept, [])) + '\n'
        except RecursionError:
            raise ValueError('the config in the checkpoint is nested too deeply') from None
    # Lines as Python counts them: str.splitlines takes more characters for ends.
    lines = re.split('\r\n|\r|\n', text)
    return '\n'.join(line for number, line in enumerate(lines, 1) if number not in dropped).rstrip('\n') + '\n'


def _names_set_in(statement: ast.stmt) -> set[str]:
    """Return the names that a statement gives a value, in whatever way."""
    nodes = list(ast.walk(statement))
    names = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    # Of functions, classes, imports and exceptions.
    names.update(getattr(node, field, None) for node in nodes for field in ('name', 'asname'))
    if any(isinstance(node, ast.Name) and node.id in _NAMESPACES for node in nodes):
        names.update(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))
        names.update(node.arg for node in nodes if isinstance(node, ast.keyword))
    return names


def _line_numbers(statement: ast.stmt) -> range:
    return range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)
