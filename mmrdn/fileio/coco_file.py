# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Hashable, Sequence
from typing import Any

from mmrdn.fileio.download import shown_url
from mmrdn.fileio.fields import ANSWER, BOX, FLAG, ID, INTEGER, NUMBER, SIZE, TEXT, Kind
from mmrdn.utils.text import shown

# Fields that the entries of each list need, whoever reads them.
REQUIRED: dict[str, tuple[str, ...]] = dict(
    categories=('id', 'name'), images=('id',), annotations=('image_id', 'category_id'), videos=('id',)
)
KINDS = dict(
    categories=dict(id=ID, name=TEXT),
    images=dict(
        id=ID,
        video_id=ID,
        frame_id=INTEGER,
        width=SIZE,
        height=SIZE,
        file_name=TEXT,
        is_annotated=ANSWER,
        is_vid_train_frame=ANSWER,
    ),
    annotations=dict(
        id=ID,
        image_id=ID,
        category_id=ID,
        instance_id=ID,
        area=NUMBER,
        score=NUMBER,
        unlinked_score=NUMBER,
        iscrowd=FLAG,
        ignore=FLAG,
        bbox=Kind(BOX.text, lambda value: value == [] or BOX.holds(value)),  # [] for an object without a box
    ),
    videos=dict(id=ID),
)


class CocoFile:
    """The categories of a COCO or COCO-VID file by name, for readers of its other lists.

    Args:
        path (str): Path of the file, or a URL that MMEngine can read.

    Attributes:
        path (str): Name of the file, for messages.
        categories (dict[str, Hashable]): Category ids by name, in the order of the file.

    Raises:
        ValueError: There is no path.
    """

    categories: dict[str, Hashable]

    def __init__(self, path: str) -> None:
        if not path:
            raise ValueError(f'ann_file must name a JSON file, got {path!r}')
        self.path = shown_url(path)

    def _error(self, text: str) -> ValueError:
        return ValueError(f'{self.path}: {text}')

    def _unknown(self, part: str, index: int, field: str, value: Any, others: str) -> ValueError:
        """Return the error for an id that no entry of another list has."""
        return self._error(f"{part}[{index}]: {field} {shown(value)} is not among the file's {others}")

    def _twice(self, part: str, index: int, field: str, value: Any) -> ValueError:
        """Return the error for a name or id that an entry before has."""
        return self._error(f"{part}[{index}]: {field} '{shown(value)}' is there twice")

    def _check_unique(self, part: str, field: str, entries: Sequence[dict]) -> None:
        """Refuse entries of which two have the same value of a field."""
        seen = set()
        for i, entry in enumerate(entries):
            if entry[field] in seen:
                raise self._twice(part, i, field, entry[field])
            seen.add(entry[field])

    def _take_categories(self, entries: Sequence[dict]) -> None:
        """Take checked categories, whose ids and names must differ."""
        self._check_unique('categories', 'id', entries)  # or two classes would be one
        self._check_unique('categories', 'name', entries)
        self.categories = {entry['name']: entry['id'] for entry in entries}

    def category_ids(self, classes: Sequence[str]) -> list[Any]:
        """Return the ids of the categories of these names, in the order of the names.

        Raises:
            ValueError: The file lacks one of them, or one is named twice.
        """
        for name in classes:
            if name not in self.categories:
                raise ValueError(
                    f"{self.path} has no category '{name}', expected the classes of the data set, "
                    f'got {list(self.categories)}'
                )
        if len(set(classes)) < len(classes):
            raise ValueError(f'classes must not repeat, got {classes}')
        return [self.categories[name] for name in classes]
