# Copyright (c) mmrdn contributors. All rights reserved.
from pathlib import Path
from xml.etree import ElementTree

from mmrdn.datasets.converters.annotated_video import AnnotatedVideo, TrackBox
from mmrdn.datasets.converters.readers.base_reader import BaseReader, to_integer
from mmrdn.datasets.converters.readers.cvat_xml import (
    SHAPES,
    box_of_shape,
    count_lost_parts,
    flag,
    label_of,
    open_cvat,
    read_tasks,
)
from mmrdn.datasets.converters.track_builder import TrackBuilder


class CvatImagesReader(BaseReader):
    """CVAT for images 1.1: ``annotations.xml``, CVAT's zip, or the directory of either.

    CVAT cuts tracks into frames here. An attribute ``track_id`` of a shape, which annotators may
    add, names its track; without it each box is a separate instance.
    """

    def read(self, path: Path) -> list[AnnotatedVideo]:
        """Read a file, see :class:`BaseReader`."""
        file = open_cvat(path)
        nodes = file.root.findall('image')
        if not nodes and file.root.find('track') is not None:
            raise ValueError(f'{file.path}: no <image>, but <track>')
        tasks = read_tasks(file)
        labels = tasks[0].labels
        images: dict[str, ElementTree.Element] = {}
        for i, node in enumerate(nodes):
            name = (node.get('name') or '').replace('\\', '/')
            if not name:
                raise ValueError(f'{file.path}: image {node.get("id", i)} has no name')
            if name in images:
                raise ValueError(f'{file.path}: image {name} is there twice')
            images[name] = node
        videos = self.group_names(images, tasks[0].name)
        return [
            self._read_video(video, {name: images[name] for name in names}, labels, file.path)
            for video, names in videos.items()
        ]

    def _read_video(
        self, video: str, images: dict[str, ElementTree.Element], labels: list[str], path: str
    ) -> AnnotatedVideo:
        builder, frames = TrackBuilder(self.losses), []
        for index, (name, image) in enumerate(images.items()):
            where = f'{path}: image {name}'
            size = None
            if image.get('width') or image.get('height'):
                size = to_integer(image.get('width'), 'width', where), to_integer(image.get('height'), 'height', where)
            frames += self.frames.of_video(video, [index], size, where, [name])
            for shape in image:
                if shape.tag in SHAPES:
                    self._add_shape(shape, index, labels, f'{where}, <{shape.tag}>', builder)
                else:
                    self.losses.add(f'<{shape.tag}> were left out', where)
        return AnnotatedVideo(video, frames, builder.tracks(), path, tuple(labels))

    def _add_shape(
        self, shape: ElementTree.Element, index: int, labels: list[str], where: str, builder: TrackBuilder
    ) -> None:
        box, rotation = box_of_shape(shape, where, self.losses)
        count_lost_parts(shape, where, self.losses)
        attributes = {node.get('name'): (node.text or '').strip() for node in shape.findall('attribute')}
        found = TrackBox(index, box, occluded=flag(shape, 'occluded', where), rotation=rotation)
        builder.add(attributes.get('track_id') or None, label_of(shape, labels, where), found.upright(), where)
