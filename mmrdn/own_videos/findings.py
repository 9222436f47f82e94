# Copyright (c) mmrdn contributors. All rights reserved.
import json
from collections import Counter, defaultdict
from typing import Any, NamedTuple

from mmrdn.utils.text import shown

# What can be wrong. Errors make a training fail, or learn something wrong; warnings may be meant.
ERRORS = {
    'missing-field': 'a field or list that must be there is not',
    'wrong-field': 'a field holds something else than it must',
    'duplicate-id': 'two entries have one id',
    'duplicate-name': 'two categories or two videos have one name',
    'unknown-reference': 'an id that no entry has',
    'wrong-video': 'an annotation names another video than its image does',
    'frame-ids': 'frame_id of a video must be 0, 1, 2 ..., each once',
    'duplicate-file': 'two images name one file',
    'degenerate-box': 'a box less than a pixel wide or high',
    'box-outside': 'a box outside of its image',
    'no-area': 'an area of 0 or less, with which the training leaves the box out',
    'two-boxes': 'an instance has two boxes in one frame',
    'class-change': 'an instance changes its class',
    'file-absent': 'a frame has no file',
    'file-undecodable': 'the file of a frame is no whole image',
    'other-size': 'the file of a frame has another size',
    'leakage': 'videos or frames are in both files',
}
WARNINGS = {
    'box-cut': 'a box reaches beyond its image',
    'duplicate-box': 'a box is there twice',
    'jump': 'an instance moves or grows too far from one frame to the next: another object?',
    'no-instance': 'a box without instance_id is a separate track',
    'no-boxes': 'a class without boxes',
    'no-frames': 'a video without frames',
}
DROP = 'drop'  # as a repair: the entry goes
NEW_ID = 'new id'  # as a value of a repair: the next free number
_KEPT = 10000  # findings of a kind; more are only counted

Repair = dict[str, Any] | str | None


class Finding(NamedTuple):
    """A problem of a file.

    Attributes:
        kind (str): Key of ``ERRORS`` or ``WARNINGS``.
        file (str): Name of the file.
        part (str): Its list, such as ``images``; empty for the file itself.
        index (int): Index in the list.
        id (Any): Id of the entry, None if it has none.
        field (str): Field that is wrong.
        text (str): Description of the problem.
        repair (str): Change that fixes it; empty if it needs a person.
    """

    kind: str
    file: str
    part: str
    index: int
    id: Any
    field: str
    text: str
    repair: str

    def __str__(self) -> str:
        entry = f': {self.part}[{self.index}]' if self.part else ''
        name = '' if self.id is None else f' (id {shown(self.id)})'
        return f'{self.file}{entry}{name}: {self.field}: {self.text}'


class Findings:
    """The problems of a file, and the repairs that fixing would make.

    Args:
        file (str): Name of the file.

    Attributes:
        counts (Counter[str]): Number of findings of each kind.
        kept (dict[str, list[Finding]]): The first 10,000 of each kind.
        repairs (dict[str, dict[int, dict | str]]): By list and index of the entry, the fields that
            change (None for those that go), or ``DROP``.
        repaired (Counter[tuple[str, str]]): Number of findings by kind and repair.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self.counts: Counter[str] = Counter()
        self.kept: dict[str, list[Finding]] = defaultdict(list)
        self.repairs: dict[str, dict[int, Any]] = defaultdict(dict)
        self.repaired: Counter[tuple[str, str]] = Counter()

    def add(
        self, kind: str, field: str, text: str, part: str = '', index: int = 0, id: Any = None, repair: Repair = None
    ) -> None:
        """Add a finding.

        Args:
            kind (str): See :class:`Finding`, as the next five.
            field (str): Likewise.
            text (str): Likewise.
            part (str): Likewise.
            index (int): Likewise.
            id (Any): Likewise.
            repair (dict | str, optional): Fields that change, ``DROP``, or None for what needs a person.
        """
        words = _in_words(repair)
        self.counts[kind] += 1
        if len(self.kept[kind]) < _KEPT:
            self.kept[kind].append(Finding(kind, self.file, part, index, id, field, text, words))
        if repair is None:
            return
        self.repaired[kind, words] += 1
        before = self.repairs[part].get(index)
        if before != DROP:
            self.repairs[part][index] = repair if repair == DROP else {**(before or {}), **repair}

    def dropped(self, part: str) -> list[int]:
        """Return the indices of the entries of a list that fixing drops."""
        return [index for index, repair in self.repairs[part].items() if repair == DROP]

    @property
    def num_errors(self) -> int:
        """Number of findings that are no mere warnings."""
        return sum(count for kind, count in self.counts.items() if kind in ERRORS)

    def lines(self, limit: int) -> list[str]:
        """Return the findings by kind, errors first, with ``limit`` of each kind."""
        lines = []
        for level, kinds in (('error', ERRORS), ('warning', WARNINGS)):
            for kind in kinds:
                if not self.counts[kind]:
                    continue
                lines.append(f'{level} {kind}, {self.counts[kind]} times: {kinds[kind]}')
                lines += [f'  {finding}' for finding in self.kept[kind][:limit]]
                if self.counts[kind] > limit:
                    lines.append(f'  ... and {self.counts[kind] - limit} more')
        return lines


def _in_words(repair: Repair) -> str:
    if not repair or repair == DROP:
        return 'entry dropped' if repair else ''
    assert isinstance(repair, dict)
    return ', '.join(f'{field} {"removed" if value is None else "changed"}' for field, value in repair.items())


def to_json(findings: list[Findings]) -> dict[str, Any]:
    """Return the findings of some files for a JSON file."""
    kept = [finding for found in findings for entries in found.kept.values() for finding in entries]
    return dict(
        counts={found.file: dict(found.counts) for found in findings},
        findings=[json.loads(json.dumps(finding._asdict(), default=str)) for finding in kept],
    )
