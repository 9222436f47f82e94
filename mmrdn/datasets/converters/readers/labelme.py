# Copyright (c) mmrdn contributors. All rights reserved.
import math
from pathlib import Path, PurePosixPath
from typing import Any

from mmrdn.datasets.converters.annotated_video import AnnotatedVideo, Box, TrackBox, box_of_points
from mmrdn.datasets.converters.readers.base_reader import BaseReader
from mmrdn.datasets.converters.track_builder import TrackBuilder
from mmrdn.fileio.fields import ID, NUMBER, OBJECT, SIZE, TEXT, Kind, check_entries, check_entry
from mmrdn.fileio.json_files import read_json
from mmrdn.utils.text import shown

_WITHOUT_BOX = ('line', 'linestrip', 'point', 'points')
_WITH_BOX = ('rectangle', 'polygon', 'circle', 'mask', 'rotation', 'cuboid', 'quadrilateral')


def _is_point(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(NUMBER.holds(number) for number in value)


_POINTS = Kind(
    'a list of points [x, y]',
    lambda value: isinstance(value, list) and bool(value) and all(_is_point(point) for point in value),
)
_SHAPE = dict(label=TEXT, points=_POINTS, shape_type=TEXT, group_id=ID, flags=OBJECT, attributes=OBJECT)


class LabelmeReader(BaseReader):
    """LabelMe and X-AnyLabeling: a JSON file an image, in a directory or below it.

    ``group_id`` is the track. ``difficult`` shapes become regions to ignore. An image in ``--frames``
    without a file counts as not annotated.
    """

    def read(self, path: Path) -> list[AnnotatedVideo]:
        """Read a directory or a file, see :class:`BaseReader`."""
        root = path if path.is_dir() else path.parent
        files = sorted(path.rglob('*.json')) if path.is_dir() else [path]
        if not files:
            raise ValueError(f'{path} is empty: no JSON files in it')
        found: dict[str, tuple[Path, dict]] = {}
        for file in files:
            data = read_json(file)
            check_entry(data, dict(imagePath=TEXT, imageWidth=SIZE, imageHeight=SIZE), ('shapes',), str(file))
            check_entries(data, 'shapes', _SHAPE, ('label', 'points'), str(file))
            written = PurePosixPath((data.get('imagePath') or '').replace('\\', '/'))
            name = written.name if written.stem == file.stem else f'{file.stem}{written.suffix or ".jpg"}'
            found[(file.relative_to(root).parent / name).as_posix()] = (file, data)
        videos = self.group(found, root.name or 'video')
        return [self._read_video(video, frames, str(path)) for video, frames in videos.items()]

    def _read_video(self, video: str, files: list[tuple[str, tuple[Path, dict] | None]], path: str) -> AnnotatedVideo:
        builder, frames = TrackBuilder(self.losses), []
        for index, (name, entry) in enumerate(files):
            if entry is None:
                frames.append(self.frame_without_file(video, index, name, path))
                continue
            file, data = entry
            sides = data.get('imageWidth'), data.get('imageHeight')
            size = sides if all(sides) else None
            frames += self.frames.of_video(video, [index], size, str(file), [name])
            for i, shape in enumerate(data['shapes']):
                self._add_shape(shape, index, f'{file}: shapes[{i}]', builder)
        return AnnotatedVideo(video, frames, builder.tracks(), path)

    def _add_shape(self, shape: dict, index: int, where: str, builder: TrackBuilder) -> None:
        kind = shape.get('shape_type') or 'polygon'
        if kind in _WITHOUT_BOX:
            self.losses.add(f'shapes of the type {kind} were left out', where)
            return
        if kind not in _WITH_BOX:
            known = ', '.join(_WITH_BOX + _WITHOUT_BOX)
            raise ValueError(f"{where}: shape_type must be one of {known}, got '{shown(kind)}'")
        if kind != 'rectangle':
            self.losses.add(f'shapes of the type {kind} became boxes', where)
        if shape.get('score') is not None:
            self.losses.add('scores were left out', where)
        attributes, flags = (shape.get(key) or {} for key in ('attributes', 'flags'))
        for key in sorted({*attributes, *(key for key, value in flags.items() if value)} - {'occluded'}):
            self.losses.add('attributes and flags were left out', f'{where}, {shown(key)}')
        box = TrackBox(
            index,
            _box_of(shape['points'], kind, where),
            occluded=_is_true(flags.get('occluded')) or _is_true(attributes.get('occluded')),
            ignore=_is_true(shape.get('difficult')),
        )
        builder.add(shape.get('group_id'), shape['label'], box, where)


def _box_of(points: list[list[float]], kind: str, where: str) -> Box:
    if kind == 'circle':
        if len(points) != 2:
            raise ValueError(f'{where}: a circle must have 2 points, its center and one on it, got {len(points)}')
        (x, y), edge = points
        radius = math.dist((x, y), edge)
        return x - radius, y - radius, x + radius, y + radius
    if len(points) < 2:
        raise ValueError(f'{where}: a {kind} must have 2 points or more, got {len(points)}')
    return box_of_points([(x, y) for x, y in points])


def _is_true(value: Any) -> bool:
    return value is True or value == 1 or str(value).lower() == 'true'  # some tools write "false"
