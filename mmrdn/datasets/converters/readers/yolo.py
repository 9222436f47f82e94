# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from mmrdn.datasets.converters.annotated_video import AnnotatedVideo, Box, TrackBox, box_of_points
from mmrdn.datasets.converters.frame_files import FrameFiles
from mmrdn.datasets.converters.image_directory import ImageDirectory
from mmrdn.datasets.converters.readers.base_reader import BaseReader, read_lines, to_integer, to_number
from mmrdn.datasets.converters.track_builder import TrackBuilder
from mmrdn.fileio.yaml_files import read_yaml

_NO_LABELS = ('classes', 'train', 'val', 'test', 'trainval', 'labels', 'readme', 'readme.roboflow', 'readme.dataset')
Row = tuple[str, list[str]]  # place and columns


class YoloReader(BaseReader):
    """YOLO text files: ``data.yaml``, or a directory with ``labels``, or the directory of the files.

    A row is ``class x y width height [confidence] [track]`` in shares of the image, x and y being the
    center; or ``class x1 y1 x2 y2 x3 y3 ... [track]``, a polygon. A sixth column is the track if it
    holds integers throughout the data set, else the confidence (which is left out); with seven
    columns of which the last holds integers throughout these are confidence and track, as Ultralytics
    writes them. Class names come from ``data.yaml``, ``classes.txt`` or ``obj.names``, else from
    ``--classes``. Images come from ``--frames``, from ``images`` beside ``labels``, or stand beside the
    text files: those without a text file show no object.
    """

    def read(self, path: Path) -> list[AnnotatedVideo]:
        """Read a data set, see :class:`BaseReader`."""
        root = path if path.is_dir() else path.parent
        labels = root / 'labels' if (root / 'labels').is_dir() else root
        files = {
            file.relative_to(labels).with_suffix('').as_posix(): file
            for file in sorted(labels.rglob('*.txt'))
            if file.stem.lower() not in _NO_LABELS
        }
        classes = self._class_names(path, root, labels)
        images = self.frames
        for directory in (root / 'images', labels):  # darknet has images beside the text files
            if not images.knows_names and directory.is_dir() and ImageDirectory(directory).all_images():
                images = ImageDirectory(directory)
        names = {stem: f'{stem}.jpg' for stem in files}
        found = images.all_images()
        if images.knows_names:
            by_name: dict[str, list[str]] = {}
            for stem, name in found.items():
                by_name.setdefault(PurePosixPath(stem).name, []).append(name)
            for stem in files:
                same_name = by_name.get(PurePosixPath(stem).name, [])
                beside = _beside_labels(stem)
                name = found.get(stem) or found.get(beside) or (same_name[0] if len(same_name) == 1 else None)
                if name is None and same_name:
                    raise ValueError(f'{files[stem]}: several images could be its own: {", ".join(same_name[:3])}')
                if name is None:
                    raise FileNotFoundError(f'image {stem}.jpg does not exist, though {files[stem]} does')
                names[stem] = name
            used = set(names.values())
            names |= {Path(name).with_suffix('').as_posix(): name for name in found.values() if name not in used}
        if not files:
            raise ValueError(f'{path}: no text files with boxes in {labels}')
        rows = {stem: [(where, line.split()) for where, line in read_lines(file)] for stem, file in files.items()}
        columns = _Columns([row for found in rows.values() for row in found])
        stems = {name: stem for stem, name in names.items()}
        videos = []
        for video, frames in self.group_names(stems, root.name or 'video').items():
            chosen = [(name, rows.get(stems[name], [])) for name in frames]
            videos.append(self._read_video(video, chosen, images, classes, columns, str(path)))
        return videos

    def _class_names(self, path: Path, root: Path, labels: Path) -> list[str]:
        configs = [path] if path.suffix in ('.yaml', '.yml') else [root / 'data.yaml', root / 'dataset.yaml']
        for file in configs:
            if file.is_file():
                data = read_yaml(file)
                names = data.get('names') if isinstance(data, dict) else None
                if isinstance(names, dict) and sorted(names, key=str) == sorted(range(len(names)), key=str):
                    names = [names[i] for i in range(len(names))]
                if not names or not isinstance(names, list) or not all(isinstance(name, (str, int)) for name in names):
                    raise ValueError(f"{file}: 'names' must be a list of class names, or an object by class number")
                return [str(name) for name in names]
        for file in (root / 'classes.txt', labels / 'classes.txt', root / 'obj.names', root.parent / 'classes.txt'):
            if file.is_file():
                return [line for _, line in read_lines(file)]
        if self.wanted:
            return list(self.wanted)
        raise ValueError(f'{path}: no class names: add data.yaml or classes.txt, or pass --classes in their order')

    def _read_video(
        self,
        video: str,
        frames: list[tuple[str, list[Row]]],
        images: FrameFiles,
        classes: list[str],
        columns: '_Columns',
        path: str,
    ) -> AnnotatedVideo:
        builder, found = TrackBuilder(self.losses), []
        for index, (name, rows) in enumerate(frames):
            found += images.of_video(video, [index], None, path, [name])
            size = (found[-1].width, found[-1].height)
            for where, row in rows:
                number = to_integer(row[0], 'class', where)
                if not 0 <= number < len(classes):
                    raise ValueError(f'{where}: unknown class {number}, expected 0 to {len(classes) - 1}')
                coordinates, confidence, track = columns.split(row, where)
                if confidence is not None:
                    self.losses.add('confidences were left out', where)
                if len(coordinates) > 4:
                    self.losses.add('polygons became boxes', where)
                box = TrackBox(index, _to_pixels(coordinates, size, where))
                builder.add(track, classes[number], box, where)
        return AnnotatedVideo(video, found, builder.tracks(), path, tuple(classes))


class _Columns:
    """The meaning of the columns after the coordinates, by all rows of a data set."""

    def __init__(self, rows: Sequence[Row]) -> None:
        last: dict[bool, list[float]] = {True: [], False: []}
        for where, row in rows:
            if len(row) < 5:
                raise ValueError(
                    f'{where}: expected class x y width height, perhaps confidence and track, got {len(row)} columns'
                )
            if len(row) % 2 == 0 or len(row) == 7:
                last[len(row) == 7].append(to_number(row[-1], 'the last column', where))
        # Whether the last column is a track: of rows with 7 columns, of rows with 6, 8, 10, ...
        self._is_track = {seven: all(value == int(value) for value in values) for seven, values in last.items()}

    def split(self, row: list[str], where: str) -> tuple[list[float], float | None, int | None]:
        """Return coordinates, confidence and track of a row."""
        values = [to_number(text, 'a coordinate', where) for text in row[1:]]
        seven = len(row) == 7
        if seven and self._is_track[True]:
            return values[:4], values[4], _track_of(values[5])
        if seven or len(row) % 2:
            return values, None, None
        if self._is_track[False]:
            return values[:-1], None, _track_of(values[-1])
        return values[:-1], values[-1], None


def _beside_labels(stem: str) -> str:
    """Return the path with the last directory ``labels`` as ``images``, where Ultralytics looks for the image."""
    before, labels, after = f'/{stem}'.rpartition('/labels/')
    return f'{before}/images/{after}'[1:] if labels else stem


def _track_of(value: float) -> int | None:
    return int(value) if value >= 0 else None


def _to_pixels(values: Sequence[float], size: tuple[int, int], where: str) -> Box:
    """Return the box of x, y, width, height or of a polygon, from shares to pixels."""
    for value in values:
        if not -0.5 <= value <= 1.5:
            raise ValueError(f'{where}: coordinates must be shares of the image from 0 to 1, got {value:g}')
    width, height = size
    if len(values) > 4:
        return box_of_points([(x * width, y * height) for x, y in zip(values[::2], values[1::2])])
    x, y, w, h = values
    return (x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height
