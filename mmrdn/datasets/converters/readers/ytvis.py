# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmrdn.datasets.converters.annotated_video import AnnotatedVideo, Track, TrackBox
from mmrdn.datasets.converters.readers.base_reader import BaseReader
from mmrdn.datasets.converters.readers.segmentations import box_of_segmentation
from mmrdn.fileio.fields import BOX, ID, SIZE, TEXT, Kind, check_entries
from mmrdn.fileio.json_files import read_json
from mmrdn.utils.text import shown

_NAMES = Kind('a list of paths', lambda value: isinstance(value, list) and all(TEXT.holds(name) for name in value))
_VIDEOS = dict(id=ID, width=SIZE, height=SIZE, file_names=_NAMES, name=TEXT)


class YtvisReader(BaseReader):
    """YouTube-VIS and OVIS JSON: an annotation is a track with a box and a mask, or null, for each frame.

    Objects without boxes get those of their masks. Any occlusion of OVIS is an occluded box.
    """

    def read(self, path: Path) -> list[AnnotatedVideo]:
        """Read a file, see :class:`BaseReader`."""
        data = read_json(path)
        if not isinstance(data, dict):
            raise ValueError(f'{path}: expected an object with videos, annotations and categories')
        name = str(path)
        categories = check_entries(data, 'categories', dict(id=ID, name=TEXT), ('id', 'name'), name)
        labels = {entry['id']: entry['name'] for entry in categories}
        videos: dict[Any, AnnotatedVideo] = {}
        for i, video in enumerate(check_entries(data, 'videos', _VIDEOS, ('id', 'file_names'), name)):
            if video['id'] in videos:
                raise ValueError(f'{name}: videos[{i}]: id {shown(video["id"])} is there twice')
            videos[video['id']] = self._read_video(video, tuple(labels.values()), name)
        kinds = dict(id=ID, video_id=ID, category_id=ID)
        for i, entry in enumerate(check_entries(data, 'annotations', kinds, ('video_id', 'category_id'), name)):
            where = f'{name}: annotations[{i}]'
            if entry['video_id'] not in videos:
                raise ValueError(f"{where}: video_id {shown(entry['video_id'])} is not among the file's videos")
            if entry['category_id'] not in labels:
                raise ValueError(
                    f"{where}: unknown class {shown(entry['category_id'])}, not the id of one of the file's categories"
                )
            video = videos[entry['video_id']]
            boxes = list(self._boxes(entry, len(video.frames), where))
            video.tracks.append(Track(labels[entry['category_id']], boxes, str(entry.get('id', i))))
        return list(videos.values())

    def _read_video(self, video: dict, classes: tuple[str, ...], path: str) -> AnnotatedVideo:
        names = [name.replace('\\', '/') for name in video['file_names']]
        directory = names[0].rpartition('/')[0] if names else ''
        name = video.get('name') or directory or str(video['id'])
        size = (video['width'], video['height']) if video.get('width') and video.get('height') else None
        frames = self.frames.of_video(name, range(len(names)), size, path, names)
        return AnnotatedVideo(name, frames, [], path, classes)

    def _boxes(self, entry: dict, num_frames: int, where: str) -> Iterator[TrackBox]:
        """Yield the boxes of an annotation."""
        lists = {}
        for key in ('bboxes', 'segmentations', 'occlusion'):
            values = entry.get(key)
            if values is not None and (not isinstance(values, list) or len(values) != num_frames):
                number = len(values) if isinstance(values, list) else shown(values)
                raise ValueError(f'{where}: {key} must be a list of {num_frames}, one for each frame, got {number}')
            lists[key] = values or [None] * num_frames
        if entry.get('bboxes') is None and entry.get('segmentations') is None:
            raise ValueError(f'{where} has neither bboxes nor segmentations')
        for frame, (box, segmentation, occlusion) in enumerate(zip(*lists.values())):
            if box:
                if not BOX.holds(box):
                    raise ValueError(f'{where}: bboxes[{frame}] must be {BOX.text}, or null, got {shown(box)}')
                x, y, width, height = box
                corners = (x, y, x + width, y + height)
            else:
                corners = box_of_segmentation(segmentation, f'{where}, frame {frame}')
                if corners is None:
                    continue
            if segmentation:
                self.losses.add('masks became boxes', f'{where}, frame {frame}')
            yield TrackBox(
                frame, corners, occluded=occlusion not in (None, 'no_occlusion'), ignore=bool(entry.get('iscrowd'))
            )
