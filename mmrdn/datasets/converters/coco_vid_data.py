# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Sequence

from mmrdn.datasets.converters.annotated_video import AnnotatedVideo, TrackBox
from mmrdn.datasets.converters.ilsvrc import CocoData
from mmrdn.datasets.converters.loss_report import LossReport

_DIGITS = 4  # of coordinates, after the point


class CocoVidData(CocoData):
    """COCO-VID data of the annotated videos added so far.

    A region to ignore that has none of the classes gets the first one: data sets read no other.

    Args:
        classes (Sequence[str]): Names of the classes, in the order of the labels.
        losses (LossReport): Where boxes that cannot be in the file are counted.
    """

    def __init__(self, classes: Sequence[str], losses: LossReport) -> None:
        super().__init__({name: name for name in classes})
        self.data['categories'] = [dict(id=i, name=name) for i, name in enumerate(classes, 1)]
        self.data['videos'] = []
        self._first_class = classes[0]
        self._losses = losses
        self._num_tracks = 0

    def add_video(self, video: AnnotatedVideo) -> None:
        """Add a video with the boxes of its tracks."""
        video_id = len(self.data['videos']) + 1
        self.data['videos'].append(dict(id=video_id, name=video.name))
        of_frame: list[list[tuple[str, int, TrackBox]]] = [[] for _ in video.frames]
        for track in video.tracks:
            name = track.label if track.label in self.category_ids else self._first_class
            where = f'{video.source}: {f"track {track.name}" if track.name else "a box"} of {video.name}'
            boxes = [box for box in track.boxes if self._fits(box, video, where)]
            if boxes:
                self._num_tracks += 1
            for box in boxes:
                of_frame[int(box.frame)].append((name, self._num_tracks, box))
        for frame_id, (frame, entries) in enumerate(zip(video.frames, of_frame)):
            more = {} if frame.annotated is None else dict(is_annotated=frame.annotated)
            size = dict(width=frame.width, height=frame.height)
            self.add_image(frame.file_name, size, video_id=video_id, frame_id=frame_id, **more)
            for name, instance_id, box in entries:
                self._add_box(name, box, video_id=video_id, instance_id=instance_id)

    def _fits(self, box: TrackBox, video: AnnotatedVideo, where: str) -> bool:
        """Return whether a box has an area within its image."""
        x1, y1, x2, y2 = box.box
        frame = video.frames[int(box.frame)]
        if min(x2 - x1, y2 - y1) < 0 or (min(x2 - x1, y2 - y1) == 0 and not video.inclusive):
            self._losses.add('boxes without an area were left out', f'{where}, frame_id {box.frame}')
            return False
        if min(x2, y2) + video.inclusive <= 0 or x1 >= frame.width or y1 >= frame.height:
            self._losses.add('boxes outside of the image were left out', f'{where}, frame_id {box.frame}')
            return False
        return True

    def _add_box(self, name: str, box: TrackBox, **ids) -> None:
        x1, y1, x2, y2 = box.box
        x, y, width, height = (round(value, _DIGITS) for value in (x1, y1, x2 - x1, y2 - y1))
        self.add_object(
            dict(name=name, box=(x, y, x + width, y + height)),
            occluded=box.occluded,
            keyframe=box.keyframe,
            interpolated=box.interpolated,
            **ids,
            **(dict(ignore=True) if box.ignore else {}),
        )
        self.data['annotations'][-1].update(bbox=[x, y, width, height], area=round(width * height, _DIGITS))
