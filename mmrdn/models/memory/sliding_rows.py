# Copyright (c) mmrdn contributors. All rights reserved.
"""A queue of rows whose content is always one slice of a tensor."""

import torch
from torch import Tensor


class SlidingRows:
    """Rows that enter at the end and leave at the beginning, in order.

    The tensors are a quarter longer than what they may hold. When their end is reached, what they
    hold moves back to the beginning; so a row is copied about five times in its life, however often
    it is looked at.

    Args:
        capacity (int): Rows that are held at most.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._length = capacity + max(1, capacity // 4)
        self._columns: tuple[Tensor, ...] | None = None
        self._start = self._end = 0

    def __len__(self) -> int:
        return self._end - self._start

    def append(self, *columns: Tensor) -> None:
        """Take n rows of each column, (n, ...); the first ones give the types.

        Raises:
            ValueError: They are more than the capacity allows.
        """
        num = len(columns[0])
        if len(self) + num > self.capacity:
            raise ValueError(f'{len(self)} rows and {num} more exceed the capacity of {self.capacity}')
        if self._columns is None:
            with torch.inference_mode(False):  # usable in and outside of it
                self._columns = tuple(
                    torch.empty(self._length, *column.shape[1:], dtype=column.dtype, device=column.device)
                    for column in columns
                )
        if self._end + num > self._length:
            self._move_to_beginning()
        for target, column in zip(self._columns, columns):
            target[self._end : self._end + num] = column
        self._end += num

    def _move_to_beginning(self) -> None:
        """In pieces that do not overlap with where they go."""
        num = len(self)
        for column in self._columns:
            for i in range(0, num, self._start):
                stop = min(num, i + self._start)
                column[i:stop] = column[self._start + i : self._start + stop]
        self._start, self._end = 0, num

    def drop(self, num: int) -> None:
        """Forget the ``num`` oldest rows."""
        self._start += num

    def view(self) -> tuple[Tensor, ...]:
        """Each column's rows, oldest first, without a copy."""
        return tuple(c[self._start : self._end] for c in self._columns or ())

    def nbytes(self) -> int:
        """Bytes of the tensors."""
        return sum(column.nbytes for column in self._columns or ())
