# Copyright (c) mmrdn contributors. All rights reserved.
"""The content of a COCO-VID file as columns: 40 bytes a box, where Python's dicts take 700."""

from array import array
from collections.abc import Hashable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from mmrdn.fileio.coco_file import KINDS
from mmrdn.fileio.download import shown_url
from mmrdn.fileio.fields import BOX, ID, NUMBER, SIZE, wrong_fields
from mmrdn.fileio.json_members import json_members
from mmrdn.fileio.located_file import read_located
from mmrdn.own_videos.findings import DROP, NEW_ID, Findings, Repair
from mmrdn.utils.text import shown

# Fields without which the data sets cannot use an entry.
REQUIRED = dict(
    categories=('id', 'name'),
    videos=('id',),
    images=('id', 'file_name', 'video_id', 'frame_id', 'width', 'height'),
    annotations=('id', 'image_id', 'category_id', 'bbox'),
)
_KINDS = KINDS | dict(annotations=KINDS['annotations'] | dict(bbox=BOX))


class Columns:
    """The entries of a list that can be used. They are named by their rows here.

    Args:
        part (str): Name of the list.

    Attributes:
        ids (list): (n,) Id of each entry.
        index (np.ndarray): (n,) its index in the file.
    """

    def __init__(self, part: str) -> None:
        self.part = part
        self.ids: list[Any] = []
        self.index: Any = array('q')

    def append(self, id: Any, index: int) -> None:
        """Add an entry."""
        self.ids.append(id)
        self.index.append(index)

    def at(self, row: int) -> dict[str, Any]:
        """Return where an entry stands in the file, for :meth:`Findings.add`."""
        return dict(part=self.part, index=int(self.index[row]), id=self.ids[row])

    def __len__(self) -> int:
        return len(self.ids)


class NamedColumns(Columns):
    """Categories, videos, or images by their file names.

    Attributes:
        names (list[str | None]): (n,) None where there is none.
        rows (dict): Row of each id.
    """

    def __init__(self, part: str) -> None:
        super().__init__(part)
        self.names: list[str | None] = []
        self.rows: dict[Hashable, int] = {}

    def append_named(self, id: Any, index: int, name: str | None) -> None:
        """Add an entry."""
        self.rows[id] = len(self.ids)
        self.append(id, index)
        self.names.append(name)

    def label(self, row: int) -> str:
        """Return the name of an entry, else its id, for a message."""
        return shown(str(self.ids[row]) if self.names[row] is None else self.names[row])


class ImageColumns(NamedColumns):
    """Images.

    Attributes:
        video (np.ndarray): (n,) row of the video.
        frame_ids (np.ndarray): (n,).
        sizes (np.ndarray): (n, 2) width and height in pixels, 0 where they are missing.
    """

    video: np.ndarray
    frame_ids: np.ndarray
    sizes: np.ndarray


class BoxColumns(Columns):
    """Annotations.

    Attributes:
        image (np.ndarray): (n,) row of the image.
        category (np.ndarray): (n,) row of the category.
        track (np.ndarray): (n,) row in ``tracks``, -1 without an ``instance_id``.
        bboxes (np.ndarray): (n, 4) xywh in pixels.
        ignored (np.ndarray): (n,) bool, flagged ``ignore`` or ``iscrowd``.
        tracks (list[tuple]): Row of the video and ``instance_id`` of each track.
    """

    image: np.ndarray
    category: np.ndarray
    track: np.ndarray
    bboxes: np.ndarray
    ignored: np.ndarray
    tracks: list[tuple[int, Any]]


class CocoVidTables:
    """A COCO-VID file of any size; problems of its entries become findings.

    Args:
        path (str): Path of the file, or a URL that MMEngine can read.

    Attributes:
        findings (Findings): Problems of the file.
        categories, videos (NamedColumns): Categories and videos.
        images (ImageColumns): Images.
        boxes (BoxColumns): Annotations.
    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is not a JSON object.
    """

    def __init__(self, path: str) -> None:
        self.path, self._url = shown_url(path), path
        content = self.read()
        self.findings = Findings(self.path)
        self.categories, self.videos = NamedColumns('categories'), NamedColumns('videos')
        self.images, self.boxes = ImageColumns('images'), BoxColumns('annotations')
        readers = dict(
            categories=partial(self._read_names, self.categories),
            videos=partial(self._read_names, self.videos),
            images=self._read_images,
            annotations=self._read_boxes,
        )
        for part, entries in self._parts(content):
            if not isinstance(entries, Iterator):
                what = 'is missing' if entries is None else f'must be a list, got {shown(entries)}'
                self.findings.add('missing-field' if entries is None else 'wrong-field', part, what)
            readers[part](self._used(part, entries if isinstance(entries, Iterator) else ()))
        for columns in (self.categories, self.videos, self.images, self.boxes):
            columns.index = np.array(columns.index, np.int64)

    def read(self) -> bytes:
        """Return the file; it is not kept, as it may be large."""
        return read_located(self._url)

    def _parts(self, content: bytes) -> Iterator[tuple[str, Any]]:
        """Yield the lists of the file, those that others refer to first: mostly in one pass."""
        waiting = list(REQUIRED)
        while waiting:
            before = len(waiting)
            for key, value in json_members(content, self.path):
                if waiting and key == waiting[0]:
                    yield waiting.pop(0), value
            if len(waiting) == before:
                yield waiting.pop(0), None

    def _used(self, part: str, entries: Iterable[Any]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the entries that can be used, with their indices, and add problems to the findings."""
        kinds, required, seen = _KINDS[part], REQUIRED[part], set()
        for index, entry in enumerate(entries):
            if not isinstance(entry, dict):
                text = f'must be an object, got {shown(entry)}'
                self.findings.add('wrong-field', part, text, part, index, repair=DROP)
                continue
            usable, entry_id, wrong = True, entry.get('id'), dict(wrong_fields(entry, kinds))
            if wrong or None in map(entry.get, required):
                entry_id = None if 'id' in wrong else entry_id
                usable = self._check_fields(entry, wrong, dict(part=part, index=index, id=entry_id), required)
            if entry_id is not None and entry_id in seen:
                is_box = part == 'annotations'  # to which nothing refers
                repair: Repair = dict(id=NEW_ID) if is_box else DROP
                self.findings.add('duplicate-id', 'id', 'is there twice', part, index, entry_id, repair)
                usable &= is_box
            seen.add(entry_id)
            if usable:
                yield index, entry

    def _check_fields(self, entry: dict, wrong: dict[str, str], at: dict[str, Any], required: Sequence[str]) -> bool:
        """Add missing and wrong fields of an entry to the findings; return whether it can be used."""
        usable = True
        missing = {field: 'is missing' for field in required if entry.get(field) is None}
        for kind, fields in (('wrong-field', wrong), ('missing-field', missing)):
            for field, problem in fields.items():
                repair: Repair = DROP if field in required else {field: None}
                if (at['part'], field) == ('annotations', 'id'):
                    repair = dict(id=NEW_ID)
                elif field in ('width', 'height'):
                    repair = None  # the files know
                usable &= repair != DROP
                self.findings.add(kind, field, problem, **at, repair=repair)
        return usable

    def _read_names(self, columns: NamedColumns, entries: Iterable[tuple[int, dict]]) -> None:
        seen = set()
        for index, entry in entries:
            name = None if entry.get('name') is None else str(entry['name'])
            columns.append_named(entry['id'], index, name)
            if columns.part == 'categories' and name is not None and not name.strip():
                self.findings.add('wrong-field', 'name', 'is empty, a class must have a name', **columns.at(-1))
            if name is not None and name in seen:
                self.findings.add('duplicate-name', 'name', f"'{shown(name)}' is there twice", **columns.at(-1))
            seen.add(name)

    def _no_reference(self, columns: NamedColumns, entry: dict, field: str, part: str, index: int) -> None:
        text = f'{shown(entry[field])} is not among the {columns.part} that can be used'
        self.findings.add('unknown-reference', field, text, part, index, entry.get('id'), DROP)

    def _read_images(self, entries: Iterable[tuple[int, dict]]) -> None:
        images = self.images
        video, frame_ids, sizes = array('i'), array('q'), array('q')
        for index, entry in entries:
            row = self.videos.rows.get(entry['video_id'])
            if row is None:
                self._no_reference(self.videos, entry, 'video_id', 'images', index)
                continue
            images.append_named(entry['id'], index, entry['file_name'])
            video.append(row)
            frame_ids.append(entry['frame_id'])
            size = (entry.get('width'), entry.get('height'))
            sizes.extend(size if all(map(SIZE.holds, size)) else (0, 0))
        images.video, images.frame_ids = np.array(video), np.array(frame_ids)
        images.sizes = np.array(sizes).reshape(-1, 2)

    def _read_boxes(self, entries: Iterable[tuple[int, dict]]) -> None:
        boxes: BoxColumns = self.boxes
        tracks: dict[tuple[int, Any], int] = {}
        image, category, track = array('i'), array('i'), array('i')
        values, ignored = array('d'), array('b')
        videos, image_rows, category_rows = self.images.video.tolist(), self.images.rows, self.categories.rows
        for index, entry in entries:
            image_row, category_row = image_rows.get(entry['image_id']), category_rows.get(entry['category_id'])
            if image_row is None or category_row is None:
                if image_row is None:
                    self._no_reference(self.images, entry, 'image_id', 'annotations', index)
                if category_row is None:
                    self._no_reference(self.categories, entry, 'category_id', 'annotations', index)
                continue
            video, instance = videos[image_row], entry.get('instance_id')
            known = ID.holds(instance)
            boxes.append(entry.get('id'), index)
            image.append(image_row)
            category.append(category_row)
            track.append(tracks.setdefault((video, instance), len(tracks)) if known else -1)
            values.extend(entry['bbox'])
            ignored.append(bool(entry.get('ignore') or entry.get('iscrowd')))
            if instance is None:
                self.findings.add('no-instance', 'instance_id', 'is missing', **boxes.at(-1))
            self._check_box(entry, self.videos.ids[video])
        boxes.image, boxes.category, boxes.track = map(np.array, (image, category, track))
        boxes.bboxes, boxes.ignored = np.array(values).reshape(-1, 4), np.array(ignored, bool)
        boxes.tracks = list(tracks)

    def _check_box(self, entry: dict, video_id: Any) -> None:
        """Add problems of an annotation, other than of its box, to the findings."""
        said, area = entry.get('video_id'), entry.get('area')
        if said is not None and said != video_id:
            text = f'{shown(said)} is not {shown(video_id)}, the video of its image'
            self.findings.add('wrong-video', 'video_id', text, **self.boxes.at(-1), repair=dict(video_id=video_id))
        if area is not None and NUMBER.holds(area) and area <= 0 < min(entry['bbox'][2:]):
            width, height = entry['bbox'][2:]
            self.findings.add('no-area', 'area', f'is {area}', **self.boxes.at(-1), repair=dict(area=width * height))
