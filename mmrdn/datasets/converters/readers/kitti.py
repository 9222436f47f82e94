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

# https://www.cvlibs.net/datasets/kitti/eval_tracking.php; beside these there is DontCare.
CLASSES = ('Car', 'Van', 'Truck', 'Pedestrian', 'Person', 'Person_sitting', 'Cyclist', 'Tram', 'Misc')


class KittiReader(BaseReader):
    """KITTI tracking: a file of ``label_02``, that directory, or the one with ``label_02`` and ``image_02``.

    A row is ``frame track type truncated occluded alpha left top right bottom`` and seven numbers of
    the box in space; frames and pixels count from 0. ``DontCare`` is a region to ignore, 1 and 2 are
    occluded.
    """

    def read(self, path: Path) -> list[AnnotatedVideo]:
        """Read a directory or a file, see :class:`BaseReader`."""
        directory = next((path / name for name in ('label_02', 'training/label_02') if (path / name).is_dir()), path)
        files = sorted(directory.glob('*.txt')) if directory.is_dir() else [directory]
        if not files:
            raise ValueError(f'{path} is empty: no text files in {directory}')
        images = self.frames
        beside = files[0].parent.parent / 'image_02'
        if not images.knows_names and beside.is_dir():
            images = ImageDirectory(beside)
        return [self._read_sequence(file, images) for file in files]

    def _read_sequence(self, file: Path, images: FrameFiles) -> AnnotatedVideo:
        rows = [(where, line.split()) for where, line in read_lines(file)]
        if not rows:
            self.losses.add('empty files', str(file))
        last = max((to_integer(row[0], 'frame', where) for where, row in rows), default=0)
        num_frames = images.count(file.stem) or check_num_frames(max(last, 0) + 1, str(file))
        builder = TrackBuilder(self.losses)
        for where, row in rows:
            self._add(row, num_frames, where, builder)
        tracks = builder.tracks()
        seen = {track.label for track in tracks}
        declared = tuple(name for name in (*CLASSES, *(self.wanted or ())) if name in seen)
        frames = images.of_video(file.stem, range(num_frames), None, str(file), template='<video>/<frame:06d>.png')
        return AnnotatedVideo(file.stem, frames, tracks, str(file), tuple(dict.fromkeys(declared)))

    def _add(self, row: list[str], num_frames: int, where: str, builder: TrackBuilder) -> None:
        if len(row) not in (17, 18):
            raise ValueError(f'{where}: expected 17 columns frame track type truncated occluded ..., got {len(row)}')
        frame, track = to_integer(row[0], 'frame', where), to_integer(row[1], 'track', where)
        check_frame(frame, num_frames, frame, where)
        known = (*CLASSES, *(self.wanted or ()))
        ignore = row[2] == 'DontCare'
        if not ignore and row[2] not in known:
            raise ValueError(f"{where}: unknown class '{row[2][:40]}', expected {', '.join(known)} or DontCare")
        occluded = to_integer(row[4], 'occluded', where)
        names = ('left', 'top', 'right', 'bottom')
        x1, y1, x2, y2 = (to_number(text, name, where) for text, name in zip(row[6:10], names))
        if to_number(row[10], 'height', where) > 0:
            self.losses.add('boxes in space were left out', where)
        if len(row) == 18:
            self.losses.add('scores were left out', where)
        box = TrackBox(frame, (x1, y1, x2, y2), occluded=occluded in (1, 2), ignore=ignore)
        builder.add(None if ignore or track < 0 else track, None if ignore else row[2], box, where)
