# Copyright (c) mmrdn contributors. All rights reserved.
"""Text from outside: in messages a line that a terminal can show and does not obey; its order."""

import difflib
import re
import reprlib
from collections.abc import Sequence
from typing import Any

_MAX_SHOWN = 200  # characters


def escaped(text: str) -> str:
    """Return a text with control characters and other unprintable ones escaped.

    Names in files from outside may hold codes that move a terminal's cursor or retype its input.
    """
    return ''.join(c if c.isprintable() else c.encode('unicode_escape').decode() for c in text)


def printable(text: str) -> str:
    """Return a text in one line, :func:`escaped`."""
    return escaped(' '.join(text.split()))


def shown(value: Any) -> str:
    """Return a value for a message: escaped, and shortened, as it may be long or deep."""
    text = value if isinstance(value, str) else reprlib.repr(value)
    return escaped(text) if len(text) <= _MAX_SHOWN else f'{escaped(text[:_MAX_SHOWN])} ...'


def nearest(name: str, names: Sequence[str]) -> str:
    """Return the three of some names that are most like another one, in one line."""
    return ', '.join(difflib.get_close_matches(name, names, 3, cutoff=0))


def natural_key(name: str) -> list:
    """Return a key by which frame_2 comes before frame_10."""
    return [(int(word), word) if i % 2 else (0, word) for i, word in enumerate(re.split(r'(\d+)', name))]
