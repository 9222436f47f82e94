# Copyright (c) mmrdn contributors. All rights reserved.
import json
from array import array
from collections.abc import Collection, Hashable, Iterable, Iterator
from typing import Any

import numpy as np
from mmengine.logging import MMLogger

from mmrdn.fileio.box_entries import box_fault, faults_warning
from mmrdn.fileio.coco_file import KINDS, REQUIRED, CocoFile
from mmrdn.fileio.coco_vid import said_annotated
from mmrdn.fileio.fields import BOX, check_entry, list_of
from mmrdn.fileio.json_members import Entries, json_members
from mmrdn.fileio.located_file import read_located
from mmrdn.fileio.sparse_annotation import AnnotatedFrame

# Columns of the tables, integers of 64 bits.
_IMAGE = ('video', 'frame_id', 'width', 'height', 'is_annotated', 'is_vid_train_frame', 'start', 'stop')
_BOX = ('image', 'category', 'counts', 'start', 'stop')
_WIDTH, _HEIGHT, _ANNOTATED = (_IMAGE.index(name) for name in ('width', 'height', 'is_annotated'))


class IndexedCocoVidFile(CocoFile):
    """A COCO-VID or COCO JSON file of any size, checked once, whose entries are parsed when asked for.

    It holds the bytes of the file and some 200 more a frame, which forked processes share; Python's
    objects of all entries would take ten times the file.

    Frames are numbered: those of a video one after the other, videos as in the file; without
    videos, images as in the file.

    Args:
        path (str): Path of the file, or a URL that MMEngine can read.
        by_video (bool): Whether images are frames of videos.

    Attributes:
        frame_ids (np.ndarray): (n,) index of each frame in its video.
        video_lengths (np.ndarray): (n,) number of frames of its video, 1 for a still image.
        sizes (np.ndarray): (n, 2) width and height in pixels.
        is_annotated (np.ndarray): (n,) 1 or 0, -1 where it is not said.
        is_vid_train_frame (np.ndarray): (n,) bool.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is broken; the message names file, entry and field.
    """

    def __init__(self, path: str, by_video: bool = True) -> None:
        super().__init__(path)
        self._by_video = by_video
        self._content = read_located(path)
        # Each id by its number: of a category or video that of its first use, of an image its index.
        self._videos: dict[Hashable, int] = {}
        self._categories: dict[Hashable, int] = {}
        images: dict[Hashable, int] = {}
        self._images, self._boxes = array('q'), array('q')
        self._faults: list[tuple[int, str]] = []
        self._video_list: list[Hashable] = []
        self._read_lists(images)
        frame_of = self._order_frames()
        self._order_boxes(frame_of)
        del self._images, self._boxes

    def _read_lists(self, rows: dict[Hashable, int]) -> None:
        """Read the lists in one pass; in two if annotations come before images."""
        readers = dict(
            categories=lambda entries: self._take_categories(list(self._checked('categories', entries))),
            videos=lambda entries: self._video_list.extend(e['id'] for e in self._checked('videos', entries)),
            images=lambda entries: self._read_images(entries, rows),
            annotations=lambda entries: self._read_boxes(entries, rows),
        )
        waiting, before = list(readers), 0
        while 'annotations' in waiting and len(waiting) != before:
            before = len(waiting)
            for part, entries in json_members(self._content, self.path):
                if part not in waiting or (part == 'annotations' and 'images' in waiting):
                    continue
                if part == 'videos' and entries is None and not self._by_video:
                    continue
                waiting.remove(part)
                if not isinstance(entries, Entries):
                    list_of({part: entries}, part, self.path)  # refuses it
                readers[part](entries)
        for part in waiting:
            if part != 'videos' or self._by_video:
                list_of({}, part, self.path)

    def _checked(self, part: str, entries: Iterable[Any], more: Collection[str] = ()) -> Iterator[dict]:
        """Yield the entries of a list after a check of their fields."""
        kinds, required = KINDS[part] | (dict(bbox=BOX) if 'bbox' in more else {}), (*REQUIRED[part], *more)
        for i, entry in enumerate(entries):
            check_entry(entry, kinds, required, f'{self.path}: {part}[{i}]')
            yield entry

    def _read_images(self, entries: Entries, rows: dict[Hashable, int]) -> None:
        of_video = ('video_id', 'frame_id') if self._by_video else ()
        for i, entry in enumerate(self._checked('images', entries, ('file_name', 'height', 'width', *of_video))):
            if rows.setdefault(entry['id'], i) != i:
                raise self._twice('images', i, 'id', entry['id'])
            video_id, frame_id = entry.get('video_id'), entry.get('frame_id')
            is_still = video_id is None or frame_id is None
            video = -1 if is_still else self._videos.setdefault(video_id, len(self._videos))
            said = said_annotated(entry)
            self._images.extend(
                (
                    video,
                    0 if is_still else frame_id,
                    entry['width'],
                    entry['height'],
                    -1 if said is None else said,
                    bool(entry.get('is_vid_train_frame', True)),
                    *entries.span,
                )
            )

    def _read_boxes(self, entries: Entries, rows: dict[Hashable, int]) -> None:
        images = self._images
        for i, entry in enumerate(self._checked('annotations', entries, ('bbox',))):
            row = rows.get(entry['image_id'])
            if row is None:
                raise self._unknown('annotations', i, 'image_id', entry['image_id'], 'images')
            category = self._categories.setdefault(entry['category_id'], len(self._categories))
            at = row * len(_IMAGE)
            counts = images[at + _ANNOTATED] != 0 and not entry.get('ignore')
            if counts:
                fault = box_fault(entry, dict(width=images[at + _WIDTH], height=images[at + _HEIGHT]))
                if fault is not None:
                    self._faults.append((i, fault))
                    counts = False
            self._boxes.extend((row, category, counts, *entries.span))

    def _order_frames(self) -> np.ndarray:
        """Put the images into the order of their videos and frames; return the number of each."""
        images = np.array(self._images).reshape(-1, len(_IMAGE))
        place = np.arange(len(images))
        if self._by_video:
            places = {video_id: i for i, video_id in enumerate(self._video_list)}
            for video_id, number in self._videos.items():
                if video_id not in places:
                    index = int(np.flatnonzero(images[:, 0] == number)[0])
                    raise self._unknown('images', index, 'video_id', video_id, 'videos')
            place = np.array([places[video_id] for video_id in self._videos], int)[images[:, 0]]
        order = np.lexsort((images[:, _IMAGE.index('frame_id')], place))
        columns = dict(zip(_IMAGE, images[order].T.copy()))
        starts = np.flatnonzero(np.diff(place[order], prepend=-1))
        lengths = np.diff([*starts, len(order)])
        self.frame_ids, self._video = columns['frame_id'], columns['video']
        self.video_lengths = np.repeat(lengths, lengths)
        if self._by_video:
            self._check_frame_ids(np.arange(len(order)) - np.repeat(starts, lengths))
        self.sizes = np.stack([columns['width'], columns['height']], axis=1)
        self.is_annotated = columns['is_annotated'].astype(np.int8)
        self.is_vid_train_frame = columns['is_vid_train_frame'].astype(bool)
        self._spans = np.stack([columns['start'], columns['stop']], axis=1)
        frame_of = np.empty_like(order)
        frame_of[order] = np.arange(len(order))
        return frame_of

    def _check_frame_ids(self, expected: np.ndarray) -> None:
        """Refuse a video whose frames are not 0, 1, 2 ..."""
        wrong = np.flatnonzero(self.frame_ids != expected)
        if len(wrong):
            first = int(wrong[0] - expected[wrong[0]])
            count = int(self.video_lengths[first])
            numbers = self.frame_ids[first : first + min(count, 5)].tolist()
            raise self._error(
                f"'frame_id' of video {list(self._videos)[self._video[first]]} must be 0 to {count - 1}, each once, "
                f'got {numbers}{" ..." if count > 5 else ""}'
            )

    def _order_boxes(self, frame_of: np.ndarray) -> None:
        """Put the annotations into the order of their frames; those of a frame stay in that of the file."""
        boxes = np.array(self._boxes).reshape(-1, len(_BOX))
        known = set(self.categories.values())
        for category_id, number in self._categories.items():
            if category_id not in known:
                index = int(np.flatnonzero(boxes[:, 1] == number)[0])
                raise self._unknown('annotations', index, 'category_id', category_id, 'categories')
        frames = frame_of[boxes[:, 0]]
        order = np.argsort(frames, kind='stable')
        columns = dict(zip(_BOX, boxes[order].T.copy()))
        self._first_boxes = np.searchsorted(frames[order], np.arange(len(self) + 1))
        self._box_categories, self._box_counts = columns['category'], columns['counts'].astype(bool)
        self._box_spans = np.stack([columns['start'], columns['stop']], axis=1)

    def __len__(self) -> int:
        return len(self.frame_ids)

    def entries(self, number: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Return the image of a frame and its annotations, parsed at each call."""
        boxes = self._box_spans[self._first_boxes[number] : self._first_boxes[number + 1]]
        return self._parse(self._spans[number]), [self._parse(span) for span in boxes]

    def _parse(self, span: np.ndarray) -> Any:
        return json.loads(self._content[span[0] : span[1]].decode())

    def has_box(self, category_ids: Collection[Hashable]) -> np.ndarray:
        """Return whether each frame has a box of these categories that is ground truth, (n,) bool."""
        wanted = np.array([category_id in category_ids for category_id in self._categories], bool)
        counts = self._box_counts & wanted[self._box_categories]
        frames = np.repeat(np.arange(len(self)), np.diff(self._first_boxes))
        return np.bincount(frames[counts], minlength=len(self)) > 0

    def annotated_frames(self) -> Iterator[AnnotatedFrame]:
        """Yield what is known about the annotation of each frame."""
        has_boxes = np.diff(self._first_boxes) > 0
        columns = (self._video, self.frame_ids, has_boxes, self.is_annotated)
        for video, frame_id, has_box, said in zip(*(column.tolist() for column in columns)):
            yield AnnotatedFrame(None if video < 0 else video, frame_id, has_box, None if said < 0 else bool(said))

    def warn_of_boxes(self) -> None:
        """Log how many boxes are no ground truth as they are faulty, and where the first ones are."""
        warning = faults_warning(self._faults)
        if warning:
            MMLogger.get_current_instance().warning(f'{self.path}: {warning}')
