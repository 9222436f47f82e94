# Copyright (c) mmrdn contributors. All rights reserved.
from collections import Counter
from collections.abc import Iterable


class KeyCoverage:
    """Record of each entry of a converted checkpoint: used, changed or dropped.

    Args:
        keys (Iterable[str]): Names of the entries, in the order of the report.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        self.keys = list(keys)
        self.used: dict[str, str] = {}  # name in the new checkpoint
        self.changed: dict[str, str] = {}  # change, of some of those used
        self.dropped: dict[str, str] = {}  # reason

    def use(self, key: str, name: str, note: str = '') -> None:
        """Record the new name of an entry, and how its value was changed."""
        self._check(key)
        self.used[key] = name
        if note:
            self.changed[key] = note

    def drop(self, key: str, reason: str) -> None:
        """Record why an entry was left behind."""
        self._check(key)
        self.dropped[key] = reason

    def has(self, key: str) -> bool:
        """Return whether an entry is recorded already."""
        return key in self.used or key in self.dropped

    def _check(self, key: str) -> None:
        if key not in self.keys:
            raise ValueError(f'the checkpoint has no entry {key}')
        if self.has(key):
            raise ValueError(f'{key} is accounted for already')

    def lines(self, with_used: bool = False) -> list[str]:
        """Return the report: dropped entries, changed entries, and their numbers.

        Args:
            with_used (bool): Whether to report each entry on a separate line. Otherwise equal changes
                share a line, and unchanged entries are left out.
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
                first = next(key for key in self.keys if self.changed.get(key) == note)
                lines.append(f'changed {first}: {note}' if num == 1 else f'changed {num}, {first} the first: {note}')
        lines.append(f'{len(self.used)} of {len(self.keys)} entries used, {len(self.dropped)} dropped')
        return lines
