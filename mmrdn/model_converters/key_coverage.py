# Copyright (c) mmrdn contributors. All rights reserved.
from collections import Counter
from collections.abc import Iterable


class KeyCoverage:
    """What became of each entry of a checkpoint that is converted.

    Args:
        keys (Iterable[str]): The entries, in the order of the report.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        self.keys = list(keys)
        self.used: dict[str, str] = {}  # name in the new checkpoint
        self.changed: dict[str, str] = {}  # how, of those used
        self.dropped: dict[str, str] = {}  # reason

    def use(self, key: str, name: str, note: str = '') -> None:
        """Note where an entry went, and what was changed or left out of it."""
        self._check(key)
        self.used[key] = name
        if note:
            self.changed[key] = note

    def drop(self, key: str, reason: str) -> None:
        """Note why an entry was left behind."""
        self._check(key)
        self.dropped[key] = reason

    def _check(self, key: str) -> None:
        if key not in self.keys:
            raise ValueError(f'the checkpoint has no entry {key}')
        if key in self.used or key in self.dropped:
            raise ValueError(f'{key} is accounted for already')

    def check_complete(self) -> None:
        """Make sure that no entry was forgotten.

        Raises:
            ValueError: One was; names the first.
        """
        for key in self.keys:
            if key not in self.used and key not in self.dropped:
                raise ValueError(f'{key} is neither used nor dropped')

    def lines(self, with_used: bool = False) -> list[str]:
        """The report: what was dropped, what was changed, and a sum.

        Args:
            with_used (bool): One line for each entry; else changes of one kind have one together,
                and what is used as it is has none.
        """
        lines = []
        for key in self.keys:
            if key in self.dropped:
                lines.append(f'dropped {key}: {self.dropped[key]}')
            elif with_used and key in self.used:
                note = self.changed.get(key)
                lines.append(f'used {key} as {self.used[key]}' + (f' ({note})' if note else ''))
        if not with_used:
            for note, num in Counter(self.changed.values()).items():
                first = next(k for k in self.keys if note == self.changed.get(k))
                lines.append(f'changed {first}: {note}' if num == 1 else f'changed {num}, {first} the first: {note}')
        lines.append(f'{len(self.used)} of {len(self.keys)} entries used, {len(self.dropped)} dropped')
        return lines
