# Copyright (c) mmrdn contributors. All rights reserved.
import math
import re
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from mmrdn.datasets.converters.annotated_video import AnnotatedVideo, Track, TrackBox, box_of_points
from mmrdn.datasets.converters.interpolation import fill_track
from mmrdn.datasets.converters.readers.base_reader import BaseReader, check_frame, check_num_frames
from mmrdn.fileio.fields import ID, INTEGER, NUMBER, OBJECT, check_entries, check_entry
from mmrdn.fileio.json_files import read_json

_ITEM = dict(frame=INTEGER, x=NUMBER, y=NUMBER, width=NUMBER, height=NUMBER, rotation=NUMBER)
_VIDEO = re.compile(r'\.(mp4|m4v|mov|avi|mkv|webm|mpe?g|ogv|wmv|flv)$', re.IGNORECASE)
_UPLOAD = re.compile('^[0-9a-f]{8}-')  # Label Studio puts it before the names of uploaded files


class LabelStudioReader(BaseReader):
    """Label Studio's JSON (or JSON-MIN) of video object tracking: ``videorectangle`` regions.

    Boxes are percents, x and y of the corner about which the box is turned; frames count from 1. A
    region is in sight from a keyframe to the next one, or to the end, if the first is ``enabled``,
    and in the frame of every keyframe. Boxes that an export with interpolated frames adds are
    ``auto``. The file lacks the size of frames.
    """

    def read(self, path: Path) -> list[AnnotatedVideo]:
        """Read a file, see :class:`BaseReader`."""
        data = read_json(path)
        tasks = data if isinstance(data, list) else [data]
        videos = [self._read_task(task, f'{path}: task[{i}]', str(path)) for i, task in enumerate(tasks)]
        return [video for video in videos if video is not None]

    def _read_task(self, task: Any, where: str, path: str) -> AnnotatedVideo | None:
        """Return the video of a task, None if its length is unknown."""
        check_entry(task, dict(data=OBJECT), (), where)
        name = _video_name(task.get('data') or task, where)
        regions = list(self._regions(task, where))
        if not regions and self.frames.count(name) is None:
            self.losses.add('tasks without a video region were left out', where)
            return None
        counts = [value['framesCount'] for _, value, _ in regions if value.get('framesCount')]
        last = max((item['frame'] for _, value, _ in regions for item in value['sequence']), default=0)
        num_frames = check_num_frames(max(counts) if counts else self.frames.count(name) or max(last, 1), where)
        frames = self.frames.of_video(name, range(1, num_frames + 1), None, path, base=1)
        size = (frames[0].width, frames[0].height)
        tracks = []
        for place, value, region_id in regions:
            labels = value.get('labels') or value.get('rectanglelabels') or []
            if not isinstance(labels, list) or not labels or not all(isinstance(label, str) for label in labels):
                raise ValueError(f"{place}: 'labels' must be a list with the class of the region")
            if len(labels) > 1:
                self.losses.add('further labels of a region were left out', place)
            boxes = self._boxes(value['sequence'], num_frames, size, place)
            tracks.append(Track(labels[0], boxes, region_id))
        return AnnotatedVideo(name, frames, tracks, path)

    def _regions(self, task: dict, where: str):
        """Yield the place, value and id of each region."""
        if 'annotations' not in task and 'completions' not in task:  # JSON-MIN
            for key, entries in task.items():
                for i, value in enumerate(entries if isinstance(entries, list) else ()):
                    if isinstance(value, dict) and 'sequence' in value:
                        place = f'{where}: {key}[{i}]'
                        yield place, self._checked(value, place), str(i)
            return
        key = 'annotations' if 'annotations' in task else 'completions'
        annotations = [entry for entry in check_entries(task, key, {}, (), where) if not entry.get('was_cancelled')]
        for _ in annotations[1:]:
            self.losses.add('further annotations of a task were left out', where)
        for annotation in annotations[:1]:
            results = check_entries(annotation, 'result', dict(value=OBJECT, id=ID), (), f'{where}: {key}')
            labels = {
                entry.get('id'): entry['value']['labels']
                for entry in results
                if isinstance((entry.get('value') or {}).get('labels'), list)
            }
            for i, entry in enumerate(results):
                place = f'{where}: result[{i}]'
                value = entry.get('value') or {}
                if 'sequence' in value:
                    if not value.get('labels'):
                        value = dict(value, labels=labels.get(entry.get('id')))
                    yield place, self._checked(value, place), str(entry.get('id') or i)
                elif entry.get('type') != 'labels':
                    self.losses.add(f'results of the type {entry.get("type")} were left out', place)

    def _checked(self, value: dict, where: str) -> dict:
        check_entry(value, dict(framesCount=INTEGER), (), where)
        check_entries(value, 'sequence', _ITEM, ('frame', 'x', 'y', 'width', 'height'), where)
        return value

    def _boxes(self, sequence: list[dict], num_frames: int, size: tuple[int, int], where: str) -> list[TrackBox]:
        """Return the boxes of a region in all frames in which it is in sight."""
        found: dict[float, TrackBox] = {}
        for item in sequence:
            index = item['frame'] - 1
            check_frame(index, num_frames, item['frame'], where)
            x, y = item['x'], item['y']
            box = (x, y, x + item['width'], y + item['height'])  # percents
            auto = item.get('auto') is True
            found[index] = TrackBox(
                index, box, keyframe=not auto, interpolated=auto, rotation=item.get('rotation') or 0.0
            )
            if item.get('rotation'):
                self.losses.add('rotated boxes became upright boxes', f'{where}, frame {item["frame"]}')
        for item in sequence:
            if not item.get('enabled', True):
                box = found[item['frame'] - 1]
                found.setdefault(item['frame'], replace(box, frame=item['frame'], outside=True))
        return [_to_pixels(box, size) for box in fill_track(list(found.values()), num_frames)]


def _to_pixels(box: TrackBox, size: tuple[int, int]) -> TrackBox:
    """Return the upright box in pixels around one in percents that is turned about its first corner."""
    x1, y1, x2, y2 = (value * side / 100 for value, side in zip(box.box, (*size, *size)))
    angle = math.radians(box.rotation)
    cosine, sine = (math.cos(angle), math.sin(angle)) if box.rotation else (1.0, 0.0)
    width, height = x2 - x1, y2 - y1
    corners = [(0.0, 0.0), (width, 0.0), (0.0, height), (width, height)]
    turned = [(x1 + x * cosine - y * sine, y1 + x * sine + y * cosine) for x, y in corners]
    return replace(box, box=box_of_points(turned), rotation=0.0)


def _video_name(data: dict, where: str) -> str:
    """Return the name of the video, from its URL."""
    fields = sorted(data.items(), key=lambda item: item[0] != 'video')
    texts = [value for _, value in fields if isinstance(value, str)]
    urls = [text for text in texts if _VIDEO.search(text.split('?d=')[-1].split('?')[0])] or texts[:1]
    if not urls:
        raise ValueError(f'{where} names no video')
    path = unquote(urls[0].split('?d=')[-1].split('?')[0])
    return _UPLOAD.sub('', PurePosixPath(path.replace('\\', '/')).stem) or 'video'
