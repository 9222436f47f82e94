# Copyright (c) mmrdn contributors. All rights reserved.
import math
from pathlib import Path
from xml.etree import ElementTree

from mmrdn.datasets.converters.annotated_video import AnnotatedVideo, TrackBox
from mmrdn.datasets.converters.readers.base_reader import BaseReader, check_num_frames, to_integer, to_number
from mmrdn.datasets.converters.track_builder import TrackBuilder
from mmrdn.fileio.xml_files import read_xml


class VocReader(BaseReader):
    """Pascal VOC: an XML file an image, in ``Annotations`` or anywhere below a directory.

    Pixels count from 1 and the last one is a part of the box, as in :class:`mmdet.XMLDataset`: each
    coordinate less 1, width xmax - xmin. ``difficult`` objects become regions to ignore.
    ``trackid`` or ``track_id``, an element or an attribute of CVAT's, is the track.
    """

    def read(self, path: Path) -> list[AnnotatedVideo]:
        """Read a directory or a file, see :class:`BaseReader`."""
        root = path / 'Annotations' if (path / 'Annotations').is_dir() else path
        files = sorted(root.rglob('*.xml')) if root.is_dir() else [root]
        if not files:
            raise ValueError(f'{path} is empty: no XML files in it')
        if not root.is_dir():
            root = root.parent
        found: dict[str, tuple[Path, ElementTree.Element]] = {}
        for file in files:
            node = read_xml(file)
            if node.tag != 'annotation':
                raise ValueError(f'{file}: expected <annotation>, got <{node.tag}>')
            inside = file.relative_to(root)
            written = Path((node.findtext('filename') or '').strip().replace('\\', '/')).name
            suffix = Path(written).suffix or '.jpg'
            base = written if Path(written).stem == file.stem and Path(written).suffix else file.stem + suffix
            found[(inside.parent / base).as_posix()] = (file, node)
        default = root.parent.name if root.name == 'Annotations' else root.name
        videos = self.group(found, default or 'video')
        return [self._read_video(video, frames, str(path)) for video, frames in videos.items()]

    def _read_video(
        self, video: str, files: list[tuple[str, tuple[Path, ElementTree.Element] | None]], path: str
    ) -> AnnotatedVideo:
        builder, frames = TrackBuilder(self.losses), []
        for index, (name, entry) in enumerate(files):
            if entry is None:
                frames.append(self.frame_without_file(video, index, name, path))
                continue
            file, node = entry
            frames += self.frames.of_video(video, [index], _size_of(node, str(file)), str(file), [name])
            if node.find('object/generated') is not None:
                self.losses.add(
                    'files look like ILSVRC VID (<generated>), whose pixels count from 0: use the format ilsvrc',
                    str(file),
                )
            for number, item in enumerate(node.findall('object'), 1):
                self._add_object(item, index, f'{file}: object {number}', builder)
        return AnnotatedVideo(video, frames, builder.tracks(), path, inclusive=True)

    def _add_object(self, item: ElementTree.Element, index: int, where: str, builder: TrackBuilder) -> None:
        label = (item.findtext('name') or '').strip()
        if not label:
            raise ValueError(f'{where} has no <name>')
        attributes = {
            (node.findtext('name') or '').strip(): (node.findtext('value') or '').strip()
            for node in item.findall('attributes/attribute')
        }
        fields = {tag: (item.findtext(tag) or attributes.get(tag) or '').strip() for tag in _FIELDS}
        for tag in ('part', 'polygon', 'actions', 'point'):
            if item.find(tag) is not None:
                self.losses.add(f'<{tag}> were left out', where)
        for name in sorted(set(attributes) - {*_FIELDS, 'keyframe', 'outside', 'rotation'}):
            self.losses.add('attributes were left out', f'{where}, attribute {name}')
        box = self._box(item, index, where)
        box = TrackBox(
            index,
            box.upright().box,
            occluded=fields['occluded'].lower() in ('1', 'true'),
            ignore=fields['difficult'].lower() in ('1', 'true'),
        )
        builder.add(fields['trackid'] or fields['track_id'] or None, label, box, where)

    def _box(self, item: ElementTree.Element, index: int, where: str) -> TrackBox:
        bounds, rotated = item.find('bndbox'), item.find('robndbox')

        def number(tag: str) -> float:
            node = rotated if bounds is None else bounds
            return to_number(node.findtext(tag), f'<{tag}>', where)

        if bounds is not None:
            x1, y1, x2, y2 = (number(tag) - 1 for tag in ('xmin', 'ymin', 'xmax', 'ymax'))
            return TrackBox(index, (x1, y1, x2, y2))
        if rotated is None:
            raise ValueError(f'{where} has no <bndbox>')
        self.losses.add('rotated boxes became upright boxes', where)  # of roLabelImg, in radians
        x, y, width, height = (number(tag) for tag in ('cx', 'cy', 'w', 'h'))
        box = (x - 1 - width / 2, y - 1 - height / 2, x - 1 + width / 2, y - 1 + height / 2)
        return TrackBox(index, box, rotation=math.degrees(number('angle')))


_FIELDS = ('trackid', 'track_id', 'occluded', 'difficult')


def _size_of(node: ElementTree.Element, path: str) -> tuple[int, int] | None:
    """Return width and height; None where they are missing or 0, as some tools write."""
    size = node.find('size')
    if size is None or (size.findtext('width') or '0').strip() == '0':
        return None
    width, height = (to_integer(size.findtext(tag), f'<{tag}>', path) for tag in ('width', 'height'))
    return check_num_frames(width, f'{path}: <width>'), check_num_frames(height, f'{path}: <height>')
