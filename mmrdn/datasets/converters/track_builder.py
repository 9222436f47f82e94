# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.datasets.converters.annotated_video import Track, TrackBox
from mmrdn.datasets.converters.loss_report import LossReport

NO_TRACK = 'boxes without a track id, each became a separate instance'


class TrackBuilder:
    """Tracks from boxes that come one by one, in any order.

    Args:
        losses (LossReport): Where boxes without a track id and the like are counted.
    """

    def __init__(self, losses: LossReport) -> None:
        self._losses = losses
        self._by_id: dict[tuple, Track] = {}
        self._labels: dict[str, str | None] = {}
        self._frames: dict[int, set[float]] = {}
        self._tracks: list[Track] = []

    def add(self, track_id: object, label: str | None, box: TrackBox, where: str) -> None:
        """Add a box.

        Args:
            track_id (object): Id of its track in the file; None if it has none.
            label (str, optional): Class; None for a region to ignore.
            box (TrackBox): The box.
            where (str): File and line or element, for the loss report.
        """
        if track_id is None:
            if not box.ignore:
                self._losses.add(NO_TRACK, where)
            self._tracks.append(Track(label, [box]))
            return
        name = str(track_id)
        if self._labels.setdefault(name, label) != label and (name, label) not in self._by_id:
            self._losses.add('tracks that change their class, each class became a separate instance', where)
        track = self._by_id.get((name, label))
        if track is None:
            track = self._by_id[name, label] = Track(label, name=name)
            self._frames[id(track)] = set()
            self._tracks.append(track)
        if box.frame in self._frames[id(track)]:
            self._losses.add('second boxes of a track in one frame, each became a separate instance', where)
            self._tracks.append(Track(label, [box]))
            return
        self._frames[id(track)].add(box.frame)
        track.boxes.append(box)

    def tracks(self) -> list[Track]:
        """Return the tracks in the order of their first boxes in the file, boxes by frame."""
        for track in self._tracks:
            track.boxes.sort(key=lambda box: box.frame)
        return self._tracks
