# Copyright (c) mmrdn contributors. All rights reserved.
import json
import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from mmengine import fileio

_KEYS = dict(
    images=('id', 'file_name', 'height', 'width'),
    annotations=('image_id', 'category_id', 'bbox'),
    categories=('id', 'name'),
    videos=('id',),
)


class CocoVidFile:
    """A COCO-VID or COCO JSON file, checked once and indexed.

    Args:
        path (str): The JSON file.
        videos (bool): Whether images are frames of videos, that is, whether ``videos``,
            ``video_id`` and ``frame_id`` are needed.

    Attributes:
        groups (list[list[dict]]): The images of each video in the order of their frames; videos in
            the order of the file. Without ``videos`` each image is a group.
        annotations_of_image (dict[int, list[dict]]): By image id.
        images_of_category (dict[int, list[int]]): Image ids by category id.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is broken; the message names file and field.
    """

    def __init__(self, path: str, videos: bool) -> None:
        self.path = path
        self.annotations_of_image: dict[Any, list[dict]] = defaultdict(list)
        self.images_of_category: dict[Any, list] = defaultdict(list)
        self._data = self._read(videos)
        self._names = self._index_names()
        self._index_annotations()
        self.groups = self._group_frames() if videos else [[image] for image in self._data['images']]

    def category_ids(self, classes: Sequence[str]) -> list[int]:
        """Ids of the categories of these names, in the order of the names.

        Raises:
            ValueError: The file lacks one of them, or one is named twice.
        """
        for name in classes:
            if name not in self._names:
                raise self._error(f'no category {name!r}; it has {", ".join(map(str, self._names))}')
        if len(set(classes)) < len(classes):
            raise ValueError(f'classes must not repeat, got {classes}')
        return [self._names[name] for name in classes]

    def _error(self, text: str) -> ValueError:
        return ValueError(f'{self.path}: {text}')

    def _read(self, videos: bool) -> dict[str, list[dict]]:
        if not self.path:
            raise ValueError(f'ann_file must name a JSON file, got {self.path!r}')
        try:
            data = json.loads(fileio.get(self.path))
        except (FileNotFoundError, IsADirectoryError):
            raise FileNotFoundError(f'{self.path}: no such annotation file') from None
        except ValueError as error:  # broken JSON or text
            raise self._error(f'truncated or broken JSON, {error}') from None
        if not isinstance(data, dict):
            raise self._error(f'expected a JSON object, got {type(data).__name__}')
        wanted = dict(_KEYS)
        if videos:
            wanted['images'] += ('video_id', 'frame_id')
        else:
            del wanted['videos']
        for part, keys in wanted.items():
            self._check_part(data.get(part), part, keys)
        return data

    def _check_part(self, entries: Any, part: str, keys: Sequence[str]):
        if not isinstance(entries, list):
            raise self._error(f'"{part}" must be a list, got {type(entries).__name__}')
        for number, entry in enumerate(entries):
            if not isinstance(entry, dict):
                raise self._error(f'{part}[{number}] must be an object')
            for key in keys:
                if key not in entry:
                    raise self._error(f'{part}[{number}] has no "{key}"')

    def _index_names(self) -> dict[str, Any]:
        names: dict[str, Any] = {}
        for category in self._data['categories']:
            if category['name'] in names:
                raise self._error(f'category {category["name"]!r} is there twice')
            names[category['name']] = category['id']
        return names

    def _index_annotations(self) -> None:
        images = set()
        for number, image in enumerate(self._data['images']):
            for key in ('height', 'width'):
                if not isinstance(image[key], int) or image[key] < 1:
                    raise self._error(f'images[{number}] "{key}" must be a positive integer, got {image[key]!r}')
            if image['id'] in images:
                raise self._error(f'image id {image["id"]} is there twice')
            images.add(image['id'])
        categories = set(self._names.values())
        for number, item in enumerate(self._data['annotations']):
            name = f'annotations[{number}]'
            box = item['bbox']
            if not (
                isinstance(box, list)
                and len(box) == 4
                and all(isinstance(v, (int, float)) and math.isfinite(v) for v in box)
            ):
                raise self._error(f'{name} "bbox" must be four finite numbers x, y, width, height, got {box!r}')
            if item['image_id'] not in images:
                raise self._error(f'{name} is of image {item["image_id"]}, which is not there')
            if item['category_id'] not in categories:
                raise self._error(f'{name} is of category {item["category_id"]}, which is not there')
            item.setdefault('area', box[2] * box[3])
            self.annotations_of_image[item['image_id']].append(item)
            self.images_of_category[item['category_id']].append(item['image_id'])

    def _group_frames(self) -> list[list[dict]]:
        groups: dict[Any, list[dict]] = {video['id']: [] for video in self._data['videos']}
        for image in self._data['images']:
            if image['video_id'] not in groups:
                raise self._error(f'image {image["id"]} is of video {image["video_id"]}, which is not there')
            groups[image['video_id']].append(image)
        for video_id, frames in groups.items():
            try:
                frames.sort(key=lambda image: image['frame_id'])
            except TypeError:
                raise self._error(f'video {video_id} has "frame_id" that are no numbers') from None
            numbers = [image['frame_id'] for image in frames]
            if numbers != list(range(len(frames))):
                raise self._error(
                    f'"frame_id" of video {video_id} must be 0 to '
                    f'{len(frames) - 1}, each once, got {numbers[:5]}'
                    f'{" ..." if len(numbers) > 5 else ""}'
                )
        return list(groups.values())
