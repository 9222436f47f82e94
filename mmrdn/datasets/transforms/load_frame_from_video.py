# Copyright (c) mmrdn contributors. All rights reserved.
import os
from collections import OrderedDict
from typing import Any

import numpy as np

from mmrdn.datasets.transforms.loading import LoadFrame
from mmrdn.fileio.video_files import VideoFrames, split_frame_path
from mmrdn.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadFrameFromVideo(LoadFrame):
    """Load a frame from a video file, the same pixels as those that ``to_coco_vid.py --extract`` writes.

    ``img_path`` is the path of the video file and the index of the frame from 0, as in
    ``clips/a.mp4/000012``, which ``to_coco_vid.py --videos`` writes. Other paths are those of images.
    Each process keeps the files open that it read last.

    Args:
        max_open (int): Most files that a process keeps open.
        **kwargs: See :class:`LoadFrame`; frames of videos are always BGR.
    """

    def __init__(self, max_open: int = 8, **kwargs) -> None:
        super().__init__(**kwargs)
        if max_open < 1:
            raise ValueError(f'max_open must be 1 or more, got {max_open}')
        self.max_open = max_open
        self._videos: OrderedDict[str, VideoFrames] = OrderedDict()
        self._inherited: list[OrderedDict[str, VideoFrames]] = []
        self._process = os.getpid()

    def __getstate__(self) -> dict[str, Any]:
        return dict(self.__dict__, _videos=OrderedDict(), _inherited=[])

    def _load(self, path: str) -> np.ndarray:
        frame = split_frame_path(path)
        if frame is None:
            return super()._load(path)
        video, index = frame
        if self._process != os.getpid():
            # A forked worker shares the positions in these files with others, and cannot close them: it
            # would wait for decoding threads that it does not have.
            self._inherited.append(self._videos)
            self._videos, self._process = OrderedDict(), os.getpid()
        if video not in self._videos:
            self._videos[video] = VideoFrames(video)
            if len(self._videos) > self.max_open:
                self._videos.popitem(last=False)[1].close()
        self._videos.move_to_end(video)
        try:
            return self._videos[video][index]
        except IndexError as error:
            raise ValueError(str(error)) from None
