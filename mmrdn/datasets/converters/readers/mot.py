# Copyright (c) mmrdn contributors. All rights reserved.
import configparser
import re
from pathlib import Path

from mmrdn.datasets.converters.annotated_video import AnnotatedVideo, TrackBox
from mmrdn.datasets.converters.readers.base_reader import (
    BaseReader,
    check_frame,
    check_num_frames,
    read_lines,
    to_integer,
    to_number,
)
from mmrdn.datasets.converters.track_builder import TrackBuilder

# https://motchallenge.net: MOT16, MOT17 and MOT20.
CLASSES = (
    'pedestrian', 'person_on_vehicle', 'car', 'bicycle', 'motorbike', 'non_motorized_vehicle', 'static_person',
    'distractor', 'occluder', 'occluder_on_ground', 'occluder_full', 'reflection', 'crowd',
)  # fmt: skip


class MotReader(BaseReader):
    """MOTChallenge: a ``gt.txt``, the directory of a sequence, or a directory of those.

    A row is ``frame, id, left, top, width, height, confidence, class, visibility``. Frames count
    from 1. Pixels are taken as they stand, as mmtrack's and TrackEval's readers and CVAT take them,
    although MOTChallenge says that they count from 1 too. Confidence 0 marks a region to ignore,
    visibility below 0.5 an occluded object, class -1 (MOT15) a pedestrian. All rows have the same
    number of columns. ``seqinfo.ini`` has the length, the size and the names of images, ``labels.txt``
    beside ``gt.txt`` the names of classes.
    """

    ignores_unwanted = True

    def read(self, path: Path) -> list[AnnotatedVideo]:
        """Read a file or directory, see :class:`BaseReader`."""
        if not path.is_dir():
            return [self._read_sequence(path)]
        for inside in ('gt/gt.txt', 'gt.txt'):
            if (path / inside).is_file():
                return [self._read_sequence(path / inside)]
        files = sorted([*path.glob('*/gt/gt.txt'), *path.glob('*/*/gt/gt.txt')])
        if not files:
            raise FileNotFoundError(f'{path}: no gt/gt.txt in it, nor in its directories')
        return [self._read_sequence(file) for file in files]

    def _read_sequence(self, path: Path) -> AnnotatedVideo:
        root = path.absolute().parent
        if root.name == 'gt':
            root = root.parent
        lines = read_lines(path)
        if not lines:
            raise ValueError(f'{path} is empty')
        info = _read_info(root / 'seqinfo.ini')
        labels = CLASSES
        for file in (path.parent / 'labels.txt', root / 'labels.txt'):
            if file.is_file():
                labels = tuple(line for _, line in read_lines(file))
                break
        name = info.get('name') or (path.stem if path.stem != 'gt' else root.name)
        rows = [(where, [cell.strip() for cell in line.rstrip(', ').split(',')]) for where, line in lines]
        _refuse_visdrone(rows)
        _check_columns(rows)
        num_frames = self._num_frames(rows, info, name, root)
        builder = TrackBuilder(self.losses)
        for where, row in rows:
            self._add_row(row, num_frames, labels, where, builder)
        tracks = builder.tracks()
        directory, suffix = info.get('imdir', 'img1'), info.get('imext', '.jpg')
        names = None
        if not self.frames.knows_names and info:
            names = [f'{name}/{directory}/{number:06d}{suffix}' for number in range(1, num_frames + 1)]
        size = (info['imwidth'], info['imheight']) if 'imwidth' in info and 'imheight' in info else None
        frames = self.frames.of_video(name, range(1, num_frames + 1), size, str(path), names, base=1)
        declared = labels
        if labels is CLASSES:  # of which most data hold a few
            seen = {track.label for track in tracks if not all(box.ignore for box in track.boxes)}
            declared = tuple(label for label in CLASSES if label in seen)
        return AnnotatedVideo(name, frames, tracks, str(path), declared)

    def _num_frames(self, rows: list[tuple[str, list[str]]], info: dict, name: str, root: Path) -> int:
        """Return the number of frames: from the file, by the images, or up to the last row."""
        if 'seqlength' in info:
            return info['seqlength']
        count = self.frames.count(name)
        if count:
            return count
        beside = root / 'img1'
        if beside.is_dir() and (count := sum(file.is_file() for file in beside.iterdir())):
            return count
        last, where = max((to_integer(row[0], 'frame', where), where) for where, row in rows)
        return check_num_frames(max(last, 1), where)

    def _add_row(
        self, row: list[str], num_frames: int, labels: tuple[str, ...], where: str, builder: TrackBuilder
    ) -> None:
        if not 7 <= len(row) <= 10:
            raise ValueError(
                f'{where}: expected frame,id,left,top,width,height,confidence,class,visibility, got {len(row)} columns'
            )
        number, track = to_integer(row[0], 'frame', where), to_integer(row[1], 'id', where)
        check_frame(number - 1, num_frames, number, where)
        left, top, width, height, confidence = (
            to_number(text, field, where)
            for text, field in zip(row[2:7], ('left', 'top', 'width', 'height', 'confidence'))
        )
        # Ten columns end with the three coordinates of MOT15's world, nine with class and visibility.
        label_number = to_integer(row[7], 'class', where) if len(row) in (8, 9) else -1
        visibility = to_number(row[8], 'visibility', where) if len(row) == 9 else 1.0
        if label_number == -1:
            label = self.wanted[0] if self.wanted and len(self.wanted) == 1 else labels[0]
        elif not 1 <= label_number <= len(labels):
            raise ValueError(f'{where}: unknown class {label_number}, expected 1 to {len(labels)}')
        else:
            label = labels[label_number - 1]
        if 0 <= visibility < 1:
            self.losses.add('visibilities became occluded (below 0.5) or not', where)
        box = TrackBox(
            number - 1, (left, top, left + width, top + height), occluded=0 <= visibility < 0.5, ignore=confidence == 0
        )
        builder.add(None if track < 0 else track, label, box, where)


def _refuse_visdrone(rows: list[tuple[str, list[str]]]) -> None:
    """Raise ValueError if the ten columns are VisDrone's, the last three of which MOT15 has too."""
    if all(re.fullmatch('[01],[0-9]+,(-1|[0-2]),(-1|[0-2])', ','.join(row[6:])) for _, row in rows):
        raise ValueError(
            f'{rows[0][0]}: columns 7 to 10 look like score,category,truncation,occlusion of VisDrone, '
            'expected confidence,class,visibility'
        )


def _check_columns(rows: list[tuple[str, list[str]]]) -> None:
    """Raise ValueError if rows differ in length: the class of a row that was cut off would be lost."""
    expected = len(rows[0][1])
    for where, row in rows:
        if len(row) != expected:
            raise ValueError(f'{where}: {len(row)} columns, expected {expected}, as in the first row')


def _read_info(path: Path) -> dict:
    """Return the entries of ``seqinfo.ini``, {} if there is none."""
    if not path.is_file():
        return {}
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string('\n'.join(line for _, line in read_lines(path)), str(path))
        info: dict = dict(parser['Sequence'])
    except KeyError:
        raise ValueError(f'{path}: no section [Sequence]') from None
    except configparser.Error as error:
        raise ValueError(f'{path}: broken, {" ".join(str(error).split())}') from None
    for key in ('seqlength', 'imwidth', 'imheight'):
        if key in info:
            info[key] = check_num_frames(to_integer(info[key], key, str(path)), f'{path}: {key}')
    return info
