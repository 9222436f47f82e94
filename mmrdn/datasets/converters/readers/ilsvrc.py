# Copyright (c) mmrdn contributors. All rights reserved.
import re
from pathlib import Path

from mmrdn.datasets.converters import ilsvrc
from mmrdn.datasets.converters.annotated_video import AnnotatedVideo, TrackBox, VideoFrame
from mmrdn.datasets.converters.ilsvrc_vid import list_videos
from mmrdn.datasets.converters.readers.base_reader import BaseReader
from mmrdn.datasets.converters.track_builder import TrackBuilder
from mmrdn.datasets.imagenet_vid_classes import CLASS_SETS

_NAMES = {word: name for classes in CLASS_SETS.values() for name, word in classes.items()}


class IlsvrcReader(BaseReader):
    """ILSVRC VID: its directory (train and val), or any directory with a directory of XML files a video.

    WordNet ids get the class names of ImageNet VID; other names stay. Boxes are as in
    ``imagenet2coco_vid.py``, which reads on several processes and marks the frames to train on.
    """

    def read(self, path: Path) -> list[AnnotatedVideo]:
        """Read a directory, see :class:`BaseReader`."""
        try:
            root = ilsvrc.find_root(path, 'VID')
        except FileNotFoundError:
            return self._read_directories(path)
        annotations = root / 'Annotations' / 'VID'
        splits = [split for split in ('train', 'val') if (annotations / split).is_dir()]
        if not splits:
            return self._read_directories(annotations)
        videos = [video for split in splits for video in list_videos(root, split)]
        return [self._read_video(name, annotations / name, frames) for name, frames in videos]

    def _read_directories(self, path: Path) -> list[AnnotatedVideo]:
        root = path if path.is_dir() else path.parent
        files: dict[Path, list[str]] = {}
        for file in sorted(path.rglob('*.xml')) if path.is_dir() else [path]:
            files.setdefault(file.parent, []).append(file.stem)
        if not files:
            raise ValueError(f'{path} is empty: no XML files in it')
        names = {item: root.name if item == root else item.relative_to(root).as_posix() for item in files}
        return [self._read_video(names[directory], directory, stems) for directory, stems in files.items()]

    def _read_video(self, name: str, directory: Path, stems: list[str]) -> AnnotatedVideo:
        builder, frames, classes = TrackBuilder(self.losses), [], ()
        for index, stem in enumerate(stems):
            file = directory / f'{stem}.xml'
            item = ilsvrc.read_annotation(file, skip_bad_boxes=True)
            for note in item['notes']:
                cut = note.endswith('at the border')
                self.losses.add('boxes were cut at the border' if cut else 'impossible boxes were left out', note)
            if item['tags'] & {'difficult', 'pose', 'truncated'} and 'generated' not in item['tags']:
                self.losses.add(
                    'files look like Pascal VOC (<difficult>, <pose> or <truncated>), whose pixels count from 1: '
                    'use the format voc',
                    str(file),
                )
            image = self.frames.find(f'{name}/{stem}.JPEG', name, str(file))
            frames.append(VideoFrame(image, item['width'], item['height']))
            for target in item['objects']:
                label = target['name']
                if re.fullmatch('n[0-9]{8}', label):
                    if label not in _NAMES:
                        raise ValueError(f"{file}: unknown class '{label}', no WordNet id of ImageNet VID")
                    label = _NAMES[label]
                    classes = next(tuple(names) for names in CLASS_SETS.values() if label in names)
                x1, y1, x2, y2 = target['box']
                box = TrackBox(index, (x1, y1, x2, y2), occluded=target['occluded'])
                builder.add(target['track'] or None, label, box, str(file))
        return AnnotatedVideo(name, frames, builder.tracks(), str(directory), classes, inclusive=True)
