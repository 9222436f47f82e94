# Copyright (c) mmrdn contributors. All rights reserved.
"""Pickles read as data: nothing that a file names is imported, called or changed.

A pickle is a program, and unpicklers that only restrict names still call what is left with arguments
of the file: ``torch.load(weights_only=True)`` makes ``bytearray(10**11)``, tensors larger than their
storage, and numpy arrays of a data type whose state nobody has checked. Here a name stands for
nothing but an entry of a table of functions of ours, which take plain values and give plain values.
"""

import os
import pickletools
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import IO, Any

# Instructions whose argument is the value. Those of protocols 0 and 1 are none: torch.save writes 2.
_VALUES = frozenset(
    'BININT BININT1 BININT2 LONG1 LONG4 BINFLOAT BINSTRING SHORT_BINSTRING BINUNICODE SHORT_BINUNICODE BINUNICODE8 '
    'BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8'.split()
)
_CONSTANTS = dict(NONE=None, NEWTRUE=True, NEWFALSE=False)
_IGNORED = frozenset(('PROTO', 'FRAME'))
_PUT = frozenset(('BINPUT', 'LONG_BINPUT', 'MEMOIZE'))
_GET = frozenset(('BINGET', 'LONG_BINGET'))
_COPIED = (str, bytes, bytearray, list, tuple, dict, set, frozenset)
_MAX_COPIES = 16  # of the whole pickle
_MAX_NAME = 200  # characters
_KEYS = (str, int, bytes, type(None))
_LARGEST_KEY = 2**60  # the hashes of larger integers are easily made the same


class Refused:
    """Stands in a value for what a plain pickle cannot hold.

    Args:
        what (str): Description for messages, such as ``a sparse tensor``; of an object the name of
            its class or function.
        is_object (bool): Whether only unpickling could make it.
    """

    __slots__ = ('is_object', 'what')

    def __init__(self, what: str, is_object: bool = True) -> None:
        self.what = what
        self.is_object = is_object


class Unbuilt(Refused):
    """Stands for an object until its state comes.

    Args:
        what (str): Name of its class.
        build (callable): Function from the state to the value.
    """

    __slots__ = ('build', 'keys')

    def __init__(self, what: str, build: Callable[[Any], Any]) -> None:
        super().__init__(what)
        self.build = build
        self.keys: list[int] = []  # where the memo has it


class PlainPickle:
    """Machine for the instructions of a pickle.

    Args:
        known (Mapping[str, callable]): Functions by the names that stand for them, such as
            ``collections.OrderedDict``. Their arguments come from the file: they must check them.
        constants (Mapping[str, Any]): Values by name.
        persistent (callable): Function from a persistent ID, which may be anything, to a value.
    """

    def __init__(
        self, known: Mapping[str, Callable[..., Any]], constants: Mapping[str, Any], persistent: Callable[[Any], Any]
    ) -> None:
        self._known = known
        self._constants = constants
        self._persistent = persistent
        self._stack: list[Any] = []
        self._marked: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        self._allowed = 0  # characters, bytes and items that functions may still be given

    def load(self, file: IO[bytes]) -> Any:
        """Read one pickle; the file is left at the byte after it.

        Returns:
            Any: Plain values, with :class:`Refused` in the place of others.

        Raises:
            ValueError: It is damaged. So may any other exception be raised.
        """
        self._stack, self._marked, self._memo = [], [], {}
        start = file.tell()
        self._allowed = _MAX_COPIES * (file.seek(0, os.SEEK_END) - start) + 2**16
        file.seek(start)
        for opcode, argument, _ in pickletools.genops(file):
            name = opcode.name
            if name in _VALUES:
                self._stack.append(argument)
            elif name in _PUT:
                self._remember(len(self._memo) if name == 'MEMOIZE' else argument)
            elif name in _GET:
                self._stack.append(self._memo[argument])
            elif name in _CONSTANTS:
                self._stack.append(_CONSTANTS[name])
            elif name not in _IGNORED:
                step = getattr(self, f'_{name.lower()}', None)
                if step is None:
                    raise ValueError(f'instruction {name} is not one that torch.save writes')
                step(argument)
        (value,) = self._stack
        return value

    def _remember(self, key: int) -> None:
        value = self._memo[key] = self._stack[-1]
        if isinstance(value, Unbuilt):
            value.keys.append(key)

    def _marked_items(self) -> list[Any]:
        items, self._stack = self._stack, self._marked.pop()
        return items

    def _mark(self, _) -> None:
        self._marked.append(self._stack)
        self._stack = []

    def _stop(self, _) -> None:
        if self._marked:
            raise ValueError('it ends within a mark')

    def _pop(self, _) -> None:
        self._stack.pop()

    def _empty_tuple(self, _) -> None:
        self._stack.append(())

    def _tuple(self, _) -> None:
        items = self._marked_items()
        self._stack.append(tuple(items))

    def _tuple1(self, _) -> None:
        self._stack[-1:] = [(self._stack[-1],)]

    def _tuple2(self, _) -> None:
        self._stack[-2:] = [tuple(self._stack[-2:])]

    def _tuple3(self, _) -> None:
        self._stack[-3:] = [tuple(self._stack[-3:])]

    def _empty_list(self, _) -> None:
        self._stack.append([])

    def _append(self, _) -> None:
        self._extend([self._stack.pop()])

    def _appends(self, _) -> None:
        self._extend(self._marked_items())

    def _extend(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if isinstance(target, list):
            target.extend(items)
        elif not isinstance(target, Refused):
            raise ValueError(f'items are appended to a {type(target).__name__}')

    def _empty_dict(self, _) -> None:
        self._stack.append({})

    def _setitem(self, _) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._update([key, value])

    def _setitems(self, _) -> None:
        self._update(self._marked_items())

    def _update(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if isinstance(target, dict):
            for key, value in zip(items[::2], items[1::2], strict=True):
                target[checked_key(key)] = value
        elif not isinstance(target, Refused):
            raise ValueError(f'entries are set in a {type(target).__name__}')

    def _empty_set(self, _) -> None:
        self._stack.append(set())

    def _additems(self, _) -> None:
        items = self._marked_items()
        target = self._stack[-1]
        if not isinstance(target, set):
            raise ValueError(f'items are added to a {type(target).__name__}')
        target.update(map(checked_key, items))

    def _frozenset(self, _) -> None:
        items = self._marked_items()
        self._stack.append(frozenset(map(checked_key, items)))

    def _global(self, argument: str) -> None:
        # Python 2's name, for protocol 2.
        name = re.sub('^__builtin__ ', 'builtins ', checked_name(argument)).replace(' ', '.')
        self._stack.append(self._constants.get(name, Refused(name)))

    def _stack_global(self, _) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        self._global(f'{checked_name(module)} {checked_name(name)}')

    def _reduce(self, _) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        self._stack.append(self._call(function, arguments))

    def _newobj(self, _) -> None:
        self._reduce(None)

    def _call(self, function: Any, arguments: Any) -> Any:
        """Return what a function of ours makes of the arguments, if the name is known."""
        if not isinstance(function, Refused) or not isinstance(arguments, tuple):
            raise ValueError(f'a {type(function).__name__} is called')
        known = self._known.get(function.what)
        if known is None:
            return Refused(function.what, function.is_object)
        self._spend(arguments)
        return known(*arguments)

    def _spend(self, parts: Iterable[Any]) -> None:
        """Count what a function of ours is given: a part that many calls share is copied by each."""
        self._allowed -= sum(len(part) for part in parts if isinstance(part, _COPIED))
        if self._allowed < 0:
            raise ValueError('its parts are copied too often')

    def _build(self, _) -> None:
        state, target = self._stack.pop(), self._stack[-1]
        if isinstance(target, Unbuilt):
            self._spend(state if isinstance(state, tuple) else ())
            value = self._stack[-1] = target.build(state)
            while target.keys:
                self._memo[target.keys.pop()] = value
        elif isinstance(target, OrderedDict) and isinstance(state, dict):
            if isinstance(metadata := state.get('_metadata'), dict):  # versions of modules
                target._metadata = metadata  # type: ignore[attr-defined]
        elif not isinstance(target, Refused):
            raise ValueError(f'a {type(target).__name__} is given a state')

    def _binpersid(self, _) -> None:
        self._stack.append(self._persistent(self._stack.pop()))


def checked_key(key: Any) -> Any:
    """Return a key of a dict or an element of a set.

    Raises:
        ValueError: It may be slow to hash or compare, as tuples of tuples are.
    """
    if not isinstance(key, _KEYS) or isinstance(key, int) and abs(key) >= _LARGEST_KEY:
        raise ValueError(f'a key is a {type(key).__name__}, expected text or an integer below 2**60')
    return key


def checked_name(name: Any) -> str:
    """Return the name of something.

    Raises:
        ValueError: It is not a short text; others can take forever to compare or print.
    """
    if not isinstance(name, str) or len(name) > _MAX_NAME:
        raise ValueError(f'a name is a {type(name).__name__}, expected text of at most {_MAX_NAME} characters')
    return name
