# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Callable, Sequence
from typing import Any


class LazyList(Sequence):
    """A sequence whose items are made each time that they are asked for.

    Args:
        size (int): Number of items.
        make (callable): Function that returns the item of an index of 0 or more.
    """

    def __init__(self, size: int, make: Callable[[int], Any]) -> None:
        self._size, self._make = size, make

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self._make(i) for i in range(self._size)[index]]
        return self._make(range(self._size)[index])
