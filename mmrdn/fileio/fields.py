# Copyright (c) mmrdn contributors. All rights reserved.
"""Checks of the fields of files from outside, the same for all formats."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mmrdn.utils.checks import require_fields
from mmrdn.utils.text import shown

_NO_TEXT = re.compile('[\0\ud800-\udfff]')
_NUMBERS = frozenset((int, float))
_INT64 = 2**63 - 1
_MAX_FLOAT = 1.7e308
_MAX_PIXELS = 1e9  # coordinates beyond are no box, and their areas no float32


class Kind(NamedTuple):
    """A kind of value.

    Attributes:
        text (str): Its name in messages.
        holds (callable): Function that says whether a value is of the kind.
        nullable (bool): Whether null stands for a field that is not there.
    """

    text: str
    holds: Callable[[Any], bool]
    nullable: bool = True


# Files have millions of values, so these are fast. By type(), as true and false are no numbers.


def _is_integer(value: Any) -> bool:
    return type(value) is int and -_INT64 <= value <= _INT64


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 < value <= _INT64


def _is_number(value: Any) -> bool:
    # Comparisons, as math.isfinite fails for integers that are no float.
    return type(value) in _NUMBERS and -_MAX_FLOAT <= value <= _MAX_FLOAT


def _is_id(value: Any) -> bool:
    return _is_integer(value) or _is_text(value) or (type(value) is float and abs(value) <= 2.0**53)


def _is_text(value: Any) -> bool:
    # No file has a NUL in its name, and half a surrogate pair cannot be printed.
    return isinstance(value, str) and not _NO_TEXT.search(value)


def _is_box(value: Any) -> bool:
    if not isinstance(value, list) or len(value) != 4:
        return False
    return all([type(number) in _NUMBERS and -_MAX_PIXELS <= number <= _MAX_PIXELS for number in value])


ID = Kind('a number or a string', _is_id)
INTEGER = Kind('an integer', _is_integer)
SIZE = Kind('a positive integer', _is_size)
NUMBER = Kind('a finite number', _is_number)
TEXT = Kind('a string', _is_text)
FLAG = Kind('true or false', lambda value: isinstance(value, (int, float)) and value in (0, 1))
ANSWER = FLAG._replace(nullable=False)  # where null could as well mean the other one
BOX = Kind('four finite numbers x, y, width, height, 10^9 pixels at most', _is_box)
OBJECT = Kind('an object', lambda value: isinstance(value, dict))


def check_entry(entry: Any, kinds: Mapping[str, Kind], required: Sequence[str], name: str) -> None:
    """Refuse an entry whose fields do not hold what they must.

    Args:
        entry (Any): Entry of a file.
        kinds (Mapping[str, Kind]): What fields hold that are there, and not null if that may be.
        required (Sequence[str]): Fields that must be there.
        name (str): File and entry, for the message.

    Raises:
        ValueError: A field is missing or holds something else.
    """
    if not isinstance(entry, dict):
        raise ValueError(f'{name} must be an object, got {shown(entry)}')
    if None in map(entry.get, required):
        require_fields(entry, required, name)
    for field, problem in wrong_fields(entry, kinds):
        raise ValueError(f"{name}: '{field}' {problem}")


def wrong_fields(entry: Mapping[str, Any], kinds: Mapping[str, Kind]) -> Iterator[tuple[str, str]]:
    """Yield each field of an entry that is there and holds what it must not, and what is wrong with it."""
    for field, kind in kinds.items():
        value = entry.get(field)
        if value is None:
            if field in entry and not kind.nullable:
                yield field, f'must be {kind.text}, got null'
        elif not kind.holds(value):
            got = f"'{shown(value)}'" if isinstance(value, str) else shown(value)  # "false" is no false
            yield field, f'must be {kind.text}, got {got}'


def list_of(data: Any, part: str, name: str) -> list:
    """Return the list that a field of an object holds.

    Args:
        data (Any): The object.
        part (str): Name of the field.
        name (str): Name of the file, for the message.

    Raises:
        ValueError: There is no such field, or no list in it.
    """
    require_fields(data, [part], name)
    if not isinstance(data[part], list):
        raise ValueError(f"{name}: '{part}' must be a list, got {type(data[part]).__name__}")
    return data[part]


def check_entries(
    data: Any, part: str, kinds: Mapping[str, Kind], required: Sequence[str], name: str
) -> Iterable[dict[str, Any]]:
    """Return the entries of a list in an object, see :func:`list_of` and :func:`check_entry`."""
    entries = list_of(data, part, name)
    for i, entry in enumerate(entries):
        check_entry(entry, kinds, required, f'{name}: {part}[{i}]')
    return entries
