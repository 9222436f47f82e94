# Copyright (c) mmrdn contributors. All rights reserved.
import itertools
import json
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from mmrdn.fileio.json_files import only_finite
from mmrdn.fileio.json_members import json_members
from mmrdn.fileio.whole_file import whole_file
from mmrdn.own_videos.coco_vid_tables import REQUIRED, CocoVidTables
from mmrdn.own_videos.findings import DROP, NEW_ID


def write_fixed(tables: CocoVidTables, path: str | os.PathLike) -> list[str]:
    """Write a COCO-VID file with the repairs of its findings.

    Findings that need a person (an instance that changes its class, a jump, leakage) stay as they are.

    Args:
        tables (CocoVidTables): The file, checked.
        path (str or Path): Path of the new file.

    Returns:
        list[str]: What was changed, a line each.
    """
    fix = _Fix(tables)
    with whole_file(path) as file:
        separator = '{'
        for key, value in json_members(tables.read(), tables.path):
            file.write(f'{separator}{json.dumps(key)}: '.encode())
            separator = ',\n'
            if not isinstance(value, Iterator):
                file.write(json.dumps([] if key in REQUIRED else only_finite(value)).encode())
                continue
            comma = '[\n'
            for entry in fix.entries(key, value):
                file.write(f'{comma}{json.dumps(only_finite(entry))}'.encode())
                comma = ',\n'
            file.write(b'[]' if comma == '[\n' else b'\n]')
        file.write(b'}\n')
    lines = [f'{kind}: {repair}, {count} times' for (kind, repair), count in tables.findings.repaired.items()]
    return lines + [f'as a consequence: {text}, {count} times' for text, count in fix.consequences.items()]


class _Fix:
    """The repairs of a file, applied to its entries.

    Args:
        tables (CocoVidTables): The file, checked.
    """

    def __init__(self, tables: CocoVidTables) -> None:
        self.repairs = tables.findings.repairs
        self.consequences: Counter[str] = Counter()
        images = tables.images
        dropped = np.isin(images.index, tables.findings.dropped('images'))
        self.gone = {images.ids[row] for row in np.flatnonzero(dropped)}
        self.frame_ids = _renumbered(tables, ~dropped)
        largest = max((id for id in tables.boxes.ids if isinstance(id, int)), default=0)
        self.new_ids = itertools.count(largest + 1)

    def entries(self, part: str, entries: Iterator[Any]) -> Iterator[Any]:
        """Yield the entries of a list that stay, repaired."""
        repairs = self.repairs.get(part, {})
        for index, entry in enumerate(entries):
            repair = repairs.get(index)
            if repair == DROP:
                continue
            if part == 'annotations' and entry['image_id'] in self.gone:
                self.consequences['annotation of a dropped image dropped'] += 1
                continue
            if repair:
                entry = self._repaired(entry, repair)
            if part == 'images' and index in self.frame_ids:
                self.consequences['frame renumbered'] += 1
                entry = dict(entry, frame_id=self.frame_ids[index])
            yield entry

    def _repaired(self, entry: dict, repair: dict[str, Any]) -> dict:
        values = {field: next(self.new_ids) if value == NEW_ID else value for field, value in repair.items()}
        return {
            field: value for field, value in {**entry, **values}.items() if field not in values or value is not None
        }


def _renumbered(tables: CocoVidTables, kept: np.ndarray) -> dict[int, int]:
    """Return the new frame number of images that need one, by index."""
    images = tables.images
    rows = np.flatnonzero(kept)
    rows = rows[np.lexsort((images.frame_ids[rows], images.video[rows]))]
    starts = np.flatnonzero(np.diff(images.video[rows], prepend=-1))
    numbers = np.arange(len(rows)) - np.repeat(starts, np.diff([*starts, len(rows)]))
    changed = numbers != images.frame_ids[rows]
    return dict(zip(images.index[rows[changed]].tolist(), numbers[changed].tolist()))
