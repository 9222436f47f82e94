# Copyright (c) mmrdn contributors. All rights reserved.
from pathlib import Path

from mmrdn.datasets.converters.annotated_video import AnnotatedVideo, TrackBox
from mmrdn.datasets.converters.frame_files import FrameFiles
from mmrdn.datasets.converters.image_directory import ImageDirectory
from mmrdn.datasets.converters.readers.base_reader import (
    BaseReader,
    check_frame,
    check_num_frames,
    read_lines,
    to_integer,
    to_number,
)
from mmrdn.datasets.converters.track_builder import TrackBuilder

# https://github.com/VisDrone/VisDrone-Dataset; 0 is ignored regions, 11 others.
CLASSES = (
    'pedestrian', 'people', 'bicycle', 'car', 'van', 'truck', 'tricycle', 'awning-tricycle', 'bus', 'motor',
)  # fmt: skip
_COLUMNS = ('left', 'top', 'width', 'height', 'score', 'category', 'truncation', 'occlusion')
Row = tuple[str, list[str]]  # place and columns


class VisdroneReader(BaseReader):
    """VisDrone-VID: a file of ``annotations``, that directory, or the one with ``annotations`` and ``sequences``.

    A row is ``frame, track, left, top, width, height, score, category, truncation, occlusion``; frames
    count from 1, pixels from 0. Score 0 and the categories 0 (ignored regions) and 11 (others) are
    regions to ignore. Files of VisDrone-DET have eight columns, without frame and track, and are
    images.
    """

    def read(self, path: Path) -> list[AnnotatedVideo]:
        """Read a directory or a file, see :class:`BaseReader`."""
        directory = path / 'annotations' if (path / 'annotations').is_dir() else path
        files = sorted(directory.glob('*.txt')) if directory.is_dir() else [directory]
        if not files:
            raise ValueError(f'{path} is empty: no text files in {directory}')
        rows = {
            file: [(where, [cell.strip() for cell in line.rstrip(', ').split(',')]) for where, line in read_lines(file)]
            for file in files
        }
        first = next((row for found in rows.values() for row in found), None)
        if first is None:
            raise ValueError(f'{path} is empty')
        if len(first[1]) == 8:
            return self._read_stills(rows, path)
        images = self.frames
        beside = files[0].parent.parent / 'sequences'
        if not images.knows_names and beside.is_dir():
            images = ImageDirectory(beside)
        return [self._read_sequence(file.stem, found, images, file) for file, found in rows.items()]

    def _read_sequence(self, name: str, rows: list[Row], images: FrameFiles, file: Path) -> AnnotatedVideo:
        if not rows:
            self.losses.add('empty files', str(file))
        last = max((to_integer(row[0], 'frame', where) for where, row in rows), default=1)
        num_frames = images.count(name) or check_num_frames(max(last, 1), str(file))
        builder = TrackBuilder(self.losses)
        for where, row in rows:
            if len(row) != 10:
                raise ValueError(f'{where}: expected frame, track, {", ".join(_COLUMNS)}, got {len(row)} columns')
            number, track = to_integer(row[0], 'frame', where), to_integer(row[1], 'track', where)
            check_frame(number - 1, num_frames, number, where)
            self._add(row[2:], track, number - 1, where, builder)
        template = '<video>/<number:07d>.jpg'
        frames = images.of_video(name, range(1, num_frames + 1), None, str(file), template=template, base=1)
        return AnnotatedVideo(name, frames, builder.tracks(), str(file), CLASSES)

    def _read_stills(self, rows: dict[Path, list[Row]], path: Path) -> list[AnnotatedVideo]:
        videos = []
        by_name = {f'{file.stem}.jpg': found for file, found in rows.items()}
        for video, files in self.group(by_name, path.stem).items():
            builder, frames = TrackBuilder(self.losses), []
            for index, (name, found) in enumerate(files):
                if found is None:
                    frames.append(self.frame_without_file(video, index, name, str(path)))
                    continue
                frames += self.frames.of_video(video, [index], None, str(path), [name])
                for where, row in found:
                    if len(row) != 8:
                        raise ValueError(f'{where}: expected {", ".join(_COLUMNS)}, got {len(row)} columns')
                    self._add(row, None, index, where, builder)
            videos.append(AnnotatedVideo(video, frames, builder.tracks(), str(path), CLASSES))
        return videos

    def _add(self, row: list[str], track: int | None, index: int, where: str, builder: TrackBuilder) -> None:
        x, y, width, height, score = (to_number(text, name, where) for text, name in zip(row[:5], _COLUMNS))
        category, _, occlusion = (to_integer(text, name, where) for text, name in zip(row[5:], _COLUMNS[5:]))
        if not 0 <= category <= 11:
            raise ValueError(f'{where}: unknown class {category}, expected 0 to 11')
        label = CLASSES[category - 1] if 1 <= category <= len(CLASSES) else None
        ignore = score == 0 or label is None
        box = TrackBox(index, (x, y, x + width, y + height), occluded=occlusion > 0, ignore=ignore)
        builder.add(None if track is None or track < 0 or label is None else track, label, box, where)
