# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmrdn.datasets.converters.annotated_video import AnnotatedVideo, Box, TrackBox
from mmrdn.datasets.converters.readers.base_reader import BaseReader
from mmrdn.datasets.converters.readers.segmentations import box_of_segmentation
from mmrdn.datasets.converters.track_builder import TrackBuilder
from mmrdn.fileio.coco_file import KINDS
from mmrdn.fileio.coco_vid import said_annotated
from mmrdn.fileio.fields import ID, OBJECT, TEXT, check_entries
from mmrdn.fileio.json_files import read_json
from mmrdn.utils.text import shown

# Other fields of annotations are not read, whatever they are.
_ANNOTATIONS = {key: KINDS['annotations'][key] for key in ('image_id', 'category_id', 'instance_id', 'bbox')}
_ANNOTATIONS |= dict(track_id=ID, attributes=OBJECT)


class CocoReader(BaseReader):
    """COCO JSON with tracks: CVAT's export (``attributes.track_id``), TAO (``track_id``) or COCO-VID.

    Images that have ``video_id`` and ``frame_id`` are grouped by these, other images by
    their names. Every box stands in the file: none is interpolated.
    """

    def read(self, path: Path) -> list[AnnotatedVideo]:
        """Read a file, see :class:`BaseReader`."""
        data = read_json(path)
        if not isinstance(data, dict):
            raise ValueError(f'{path}: expected an object with images, annotations and categories')
        name = str(path)
        images = check_entries(data, 'images', KINDS['images'], ('id', 'file_name'), name)
        annotations = check_entries(data, 'annotations', _ANNOTATIONS, ('image_id', 'category_id'), name)
        categories = check_entries(data, 'categories', KINDS['categories'], ('id', 'name'), name)
        labels = {entry['id']: entry['name'] for entry in categories}
        of_image: dict[Any, list[tuple[str, dict]]] = {}
        for i, image in enumerate(images):
            if image['id'] in of_image:
                raise ValueError(f'{name}: images[{i}]: id {shown(image["id"])} is there twice')
            of_image[image['id']] = []
        for i, entry in enumerate(annotations):
            where = f'{name}: annotations[{i}]'
            if entry['image_id'] not in of_image:
                raise ValueError(f"{where}: image_id {shown(entry['image_id'])} is not among the file's images")
            if entry['category_id'] not in labels:
                raise ValueError(
                    f"{where}: unknown class {shown(entry['category_id'])}, not the id of one of the file's categories"
                )
            of_image[entry['image_id']].append((where, entry))
        return [
            self._read_video(video, frames, of_image, labels, name)
            for video, frames in self._videos(data, images, path).items()
        ]

    def _videos(self, data: dict, images: Sequence[dict], path: Path) -> dict[str, list[dict]]:
        """Return the images of each video in order, by the name of the video."""
        if images and all(image.get(key) is not None for image in images for key in ('video_id', 'frame_id')):
            names = {}
            if data.get('videos') is not None:
                videos = check_entries(data, 'videos', dict(id=ID, name=TEXT), ('id',), str(path))
                names = {video['id']: video.get('name') or str(video['id']) for video in videos}
            found: dict[str, list[dict]] = {}
            for i, image in enumerate(images):
                if names and image['video_id'] not in names:
                    raise ValueError(
                        f"{path}: images[{i}]: video_id {shown(image['video_id'])} is not among the file's videos"
                    )
                found.setdefault(names.get(image['video_id'], str(image['video_id'])), []).append(image)
            return {name: self._in_order(name, frames, path) for name, frames in found.items()}
        by_name: dict[str, dict] = {}
        for i, image in enumerate(images):
            if by_name.setdefault(image['file_name'], image) is not image:
                raise ValueError(f'{path}: images[{i}]: file_name {image["file_name"]} is there twice')
        grouped = self.group_names(by_name, path.stem)
        return {video: [by_name[name] for name in names] for video, names in grouped.items()}

    def _in_order(self, name: str, images: list[dict], path: Path) -> list[dict]:
        """Return the images of a video by their frame_id; COCO-VID counts 0, 1, 2 ..."""
        found: dict[int, dict] = {}
        for image in images:
            if found.setdefault(image['frame_id'], image) is not image:
                raise ValueError(
                    f'{path}: the images {shown(found[image["frame_id"]]["id"])} and {shown(image["id"])} of the video '
                    f'{name} have the same frame_id {image["frame_id"]}'
                )
        if sorted(found) != list(range(len(found))):
            self.losses.add('videos whose frame_id did not count 0, 1, 2 ... were numbered so', f'{path}: video {name}')
        return [found[number] for number in sorted(found)]

    def _read_video(
        self, video: str, images: list[dict], of_image: dict, labels: dict[Any, str], path: str
    ) -> AnnotatedVideo:
        builder, frames = TrackBuilder(self.losses), []
        for index, image in enumerate(images):
            size = (image['width'], image['height']) if image.get('width') and image.get('height') else None
            name = image['file_name'].replace('\\', '/')
            (frame,) = self.frames.of_video(video, [index], size, path, [name])
            frames.append(replace(frame, annotated=said_annotated(image)))
            if not image.get('is_vid_train_frame', True):
                self.losses.add('"is_vid_train_frame": false was left out', f'{path}, image {shown(image["id"])}')
            for where, entry in of_image[image['id']]:
                box = self._box(entry, where)
                if box is None:
                    continue
                attributes = entry.get('attributes') or {}
                track = next(
                    (
                        found[key]
                        for found in (attributes, entry)
                        for key in ('track_id', 'instance_id')
                        if found.get(key) is not None
                    ),
                    None,
                )
                builder.add(track, labels[entry['category_id']], self._track_box(index, box, entry, where), where)
        return AnnotatedVideo(video, frames, builder.tracks(), path, tuple(labels.values()))

    def _track_box(self, index: int, box: Box, entry: dict, where: str) -> TrackBox:
        attributes = entry.get('attributes') or {}
        rotation = attributes.get('rotation') or 0
        if not isinstance(rotation, (int, float)) or not abs(rotation) < 1e6:
            raise ValueError(f'{where}: attributes.rotation must be a number, got {shown(rotation)}')
        if rotation % 360:
            self.losses.add('rotated boxes became upright boxes', where)
        if entry.get('score') is not None:
            self.losses.add('scores were left out', where)
        for key in sorted(set(attributes) - {'track_id', 'instance_id', 'occluded', 'rotation', 'keyframe', 'outside'}):
            self.losses.add('attributes were left out', f'{where}, attribute {shown(key)}')
        return TrackBox(
            index,
            box,
            keyframe=bool(attributes.get('keyframe', entry.get('keyframe', True))),
            occluded=bool(attributes.get('occluded', entry.get('occluded', False))),
            interpolated=bool(entry.get('interpolated', False)),
            ignore=bool(entry.get('iscrowd') or entry.get('ignore')),
            rotation=rotation % 360,
        ).upright()

    def _box(self, entry: dict, where: str) -> Box | None:
        """Return the box of an annotation, None if it has none."""
        if (entry.get('attributes') or {}).get('outside'):
            return None
        if entry.get('bbox'):
            x, y, width, height = entry['bbox']
            return x, y, x + width, y + height
        box = box_of_segmentation(entry.get('segmentation'), where)
        self.losses.add('segmentations became boxes' if box else 'annotations without a box were left out', where)
        return box
