# Copyright (c) mmrdn contributors. All rights reserved.
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

from mmrdn.datasets.converters.annotated_video import AnnotatedVideo, Track, TrackBox
from mmrdn.datasets.converters.interpolation import fill_track
from mmrdn.datasets.converters.readers.base_reader import BaseReader, check_frame, to_integer
from mmrdn.datasets.converters.readers.cvat_xml import (
    SHAPES,
    CvatFile,
    CvatTask,
    box_of_shape,
    count_lost_parts,
    flag,
    label_of,
    open_cvat,
    read_tasks,
)
from mmrdn.utils.text import natural_key


class CvatVideoReader(BaseReader):
    """CVAT for video 1.1: ``annotations.xml``, CVAT's zip, or the directory of either; of a task, job or project.

    Frames are numbered as in the video file, from ``start_frame`` in steps of ``frame_filter``. A
    track is in sight from a box to the next one, unless the first is ``outside``, and from its last
    box to the end of the video, as CVAT shows it.
    """

    def read(self, path: Path) -> list[AnnotatedVideo]:
        """Read a file, see :class:`BaseReader`."""
        file = open_cvat(path)
        nodes = file.root.findall('track')
        if not nodes and file.root.find('image') is not None:
            raise ValueError(f'{file.path}: no <track>, but <image>')
        tasks = read_tasks(file)
        tracks: dict[str, list[tuple[str, ElementTree.Element]]] = {task.id: [] for task in tasks}
        for i, node in enumerate(nodes):
            where = f'{file.path}: track {node.get("id", i)}'
            task_id = node.get('task_id', tasks[0].id if len(tasks) == 1 else '')
            if task_id not in tracks and len(tasks) > 1:
                raise ValueError(f"{where}: task_id '{task_id}' is not among the project's tasks {', '.join(tracks)}")
            tracks[task_id if len(tasks) > 1 else tasks[0].id].append((where, node))
        return [self._read_video(file, task, tracks[task.id]) for task in tasks]

    def _read_video(
        self, file: CvatFile, task: CvatTask, nodes: list[tuple[str, ElementTree.Element]]
    ) -> AnnotatedVideo:
        boxes = [self._read_track(node, task, where) for where, node in nodes]
        num_frames = task.num_frames
        if num_frames is None:
            last = max((int(box.frame) for track in boxes for box in track if not box.outside), default=-1)
            num_frames = self.frames.count(task.name) or last + 1
        tracks = []
        for (where, node), found in zip(nodes, boxes):
            for box in found:
                if not box.outside or box.frame < 0:
                    number = task.start + box.frame * task.step
                    check_frame(box.frame, num_frames, f'{number:g}', where)
            filled = [box.upright() for box in fill_track(found, num_frames)]
            tracks.append(Track(label_of(node, task.labels, where), filled, node.get('id', '')))
        numbers = range(task.start, task.start + num_frames * task.step, task.step)
        names = None
        if not self.frames.knows_names and len(file.images) == num_frames:
            names = [f'{task.name}/{PurePosixPath(name).name}' for name in sorted(file.images, key=natural_key)]
        frames = self.frames.of_video(task.name, numbers, task.size, file.path, names)
        return AnnotatedVideo(task.name, frames, tracks, file.path, tuple(task.labels))

    def _read_track(self, node: ElementTree.Element, task: CvatTask, where: str) -> list[TrackBox]:
        """Return the boxes that a track has in the file."""
        boxes: dict[float, TrackBox] = {}
        for shape in node:
            place = f'{where}, <{shape.tag}> of frame {shape.get("frame")}'
            if shape.tag not in SHAPES:
                self.losses.add(f'<{shape.tag}> were left out', place)
                continue
            number = to_integer(shape.get('frame'), 'frame', place)
            box, rotation = box_of_shape(shape, place, self.losses)
            index = (number - task.start) / task.step
            if index != int(index):
                self.losses.add('boxes of frames that the step skips were used between frames only', place)
            if index in boxes:
                raise ValueError(f'{place}: the track has a box in this frame already')
            boxes[index] = TrackBox(
                index,
                box,
                keyframe=flag(shape, 'keyframe', place, '1'),
                outside=flag(shape, 'outside', place),
                occluded=flag(shape, 'occluded', place),
                rotation=rotation,
            )
            count_lost_parts(shape, place, self.losses)
        return list(boxes.values())
