# Copyright (c) mmrdn contributors. All rights reserved.
"""JSON objects of long lists, read entry by entry: a file of a gigabyte takes little more memory than itself."""

import json
import os
import re
from collections.abc import Iterator
from typing import Any

from mmrdn.fileio.json_files import MAX_DEPTH, distinct, nesting_depth

_WINDOW = 2**20  # bytes that are text at once, at least
_SPACE = re.compile(r'[ \t\n\r]*')
_NUMBER = re.compile('[-+.0-9eE]*')  # what a number may continue with: of "12.5" cut behind the point, 12 is read


def json_members(content: bytes, name: str | os.PathLike) -> Iterator[tuple[str, Any]]:
    """Yield the members of a JSON object that may be anybody's, one after the other.

    It takes what :func:`mmrdn.fileio.json_files.parse_json` takes, but holds one entry of a list at a
    time.

    Args:
        content (bytes): The text in UTF-8.
        name (str or Path): Name of the file, for messages.

    Yields:
        tuple[str, Any]: Key and value. A list is an :class:`Entries`; what is left of it when the next
        member is asked for is passed over.

    Raises:
        ValueError: The text is no JSON object, see ``parse_json``.
    """
    text = _Text(content, name)
    if text.char() != '{':
        text.refuse_other(text.value())
    seen: set[str] = set()
    for _ in text.items('}'):
        key = text.value()
        if not isinstance(key, str):
            raise text.error('Expecting property name enclosed in double quotes')
        if key in seen:
            raise ValueError(f'{name}: truncated or broken JSON, an object has the key "{key[:60]}" twice')
        seen.add(key)
        text.expect(':')
        if text.char() != '[':
            yield key, text.value()
            continue
        entries = Entries(text)
        yield key, entries
        for _ in entries:
            pass
    if text.char():
        raise text.error('Extra data')


class Entries(Iterator[Any]):
    """The entries of a list.

    Args:
        text (_Text): Text, at the beginning of the list.
    """

    def __init__(self, text: '_Text') -> None:
        self._text, self._items = text, text.items(']')

    def __next__(self) -> Any:
        next(self._items)
        return self._text.value()

    @property
    def span(self) -> tuple[int, int]:
        """tuple[int, int]: Bytes of the content from and to which the last entry stands."""
        return self._text.span()


class _Text:
    """A JSON text of which a window is decoded.

    Args:
        content (bytes): The text in UTF-8.
        name (str or Path): Name of the file, for messages.
    """

    def __init__(self, content: bytes, name: str | os.PathLike) -> None:
        self.content, self.name = content, name
        self.start = self.stop = 3 if content.startswith(b'\xef\xbb\xbf') else 0  # of the window, in bytes
        self.window, self.pos = '', 0
        self.value_pos = 0  # of the last value
        self.known = 0, self.start  # a place in the window, in characters and in bytes
        self.scan_fast = json.JSONDecoder().scan_once
        self.scan = json.JSONDecoder(object_pairs_hook=distinct).scan_once

    def items(self, closing: str) -> Iterator[None]:
        """Yield at each item of the list or object that begins here, and pass the commas between them."""
        self.pos += 1
        if self.char() == closing:
            self.pos += 1
            return
        while True:
            yield
            if self.char() == closing:
                self.pos += 1
                return
            self.expect(',')

    def char(self) -> str:
        """Return the next character that is no space; empty at the end of the text."""
        if self.pos < len(self.window) and self.window[self.pos] > ' ':
            return self.window[self.pos]
        while True:
            self.pos = _SPACE.match(self.window, self.pos).end()  # type: ignore[union-attr]
            if self.pos < len(self.window):
                return self.window[self.pos]
            if not self._extend():
                return ''

    def expect(self, wanted: str) -> None:
        """Pass a character."""
        if self.char() != wanted:
            raise self.error(f"Expecting '{wanted}' delimiter")
        self.pos += 1

    def value(self) -> Any:
        """Return the value that begins here, and pass it."""
        self.char()
        while True:
            problem, offset = '', 0
            try:
                value, end = self.scan_fast(self.window, self.pos)
                if not (isinstance(value, dict) and self.window.count(':', self.pos, end) == len(value)):
                    value, end = self.scan(self.window, self.pos)  # maybe a key is there twice
            except StopIteration as stop:
                problem, offset = 'Expecting value', stop.value - self.pos
            except json.JSONDecodeError as error:
                problem, offset = error.msg, error.pos - self.pos
            except RecursionError:
                self._check_depth(len(self.window))
                raise
            except ValueError as error:  # a key twice, an integer of thousands of digits
                raise ValueError(f'{self.name}: truncated or broken JSON, {error}') from None
            if not problem and _NUMBER.match(self.window, end).end() < len(self.window):  # type: ignore[union-attr]
                break
            if not self._extend():  # a number may continue after the window, as may what looks broken
                if problem:
                    raise self.error(problem, offset)
                break
        if self.window.count('[', self.pos, end) + self.window.count('{', self.pos, end) > MAX_DEPTH - 2:
            self._check_depth(end)
        self.value_pos, self.pos = self.pos, end
        return value

    def span(self) -> tuple[int, int]:
        """Return the bytes from and to which the last value stands, before anything else is read."""
        first = self._byte(self.value_pos)
        return first, self._byte(self.pos)

    def _byte(self, pos: int) -> int:
        """Return the byte of a character of the window; those before it were asked for before."""
        if self.window.isascii():
            return self.start + pos
        before, byte = self.known
        self.known = pos, byte + len(self.window[before:pos].encode())
        return self.known[1]

    def refuse_other(self, value: Any) -> None:
        """Refuse a text that is no object."""
        raise ValueError(f'{self.name}: expected a JSON object, got {type(value).__name__}')

    def error(self, problem: str, offset: int = 0) -> ValueError:
        """Return the error for something wrong some characters from here, as Python's reader words it."""
        before = self.start + len(self.window[: self.pos + offset].encode())
        line, column = self.content.count(b'\n', 0, before) + 1, before - self.content.rfind(b'\n', 0, before)
        where = f'line {line} column {column} (byte {before})'
        return ValueError(f'{self.name}: truncated or broken JSON, {problem}: {where}')

    def _check_depth(self, end: int) -> None:
        depth = nesting_depth(self.window[self.pos : end].encode()) + 2  # the file's object, its list
        if depth > MAX_DEPTH:
            raise ValueError(f'{self.name}: nested {depth} levels deep, expected {MAX_DEPTH} at most')

    def _extend(self) -> bool:
        """Decode more, and forget what was passed; return whether there was more."""
        if self.stop == len(self.content):
            return False
        self.start += len(self.window[: self.pos].encode())
        stop = min(len(self.content), self.stop + max(_WINDOW, self.stop - self.start))
        while stop < len(self.content) and self.content[stop] & 0xC0 == 0x80:  # within a character
            stop += 1
        try:
            self.window = self.window[self.pos :] + self.content[self.stop : stop].decode()
        except UnicodeDecodeError as error:
            at = self.stop + error.start
            raise ValueError(f'{self.name}: truncated or broken JSON, no UTF-8: {error.reason} at byte {at}') from None
        self.stop, self.pos = stop, 0
        self.known = 0, self.start
        return True
