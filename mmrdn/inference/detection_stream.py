# Copyright (c) mmrdn contributors. All rights reserved.
from typing import TYPE_CHECKING

import numpy as np
from mmtrack.structures import TrackDataSample

from mmrdn.models.vid.frame_stream import FrameStream

if TYPE_CHECKING:
    from mmrdn.apis.video_inferencer import VideoInferencer


class DetectionStream:
    """One video on its way through a detector, frame by frame.

    Args:
        inferencer (VideoInferencer): What it belongs to.
        name (str): What messages call it.
    """

    def __init__(self, inferencer: 'VideoInferencer', name: str = '') -> None:
        self.inferencer = inferencer
        self.state = FrameStream(
            inferencer.model, lookahead_batch=inferencer.model.stream.lookahead_batch, lookahead=inferencer.lookahead
        )
        self._prefix = f'{name}, ' if name else ''
        self._num_frames = 0

    def prepare(self, image: np.ndarray) -> dict:
        """Preprocess the next frame; may run in another thread.

        Args:
            image (np.ndarray): (H, W, 3) uint8 BGR.

        Returns:
            dict: What :meth:`push` takes.
        """
        frame_id = self._num_frames
        self._num_frames += 1
        return self.inferencer.pipeline(image, frame_id, f'{self._prefix}frame {frame_id}')

    def push(self, prepared: dict) -> list[TrackDataSample]:
        """Take a frame, give the results that are ready."""
        imgs, samples = self.inferencer.to_input(prepared)
        with self.inferencer.precision():
            return self.state.push(imgs, samples, rescale=True)

    def flush(self) -> list[TrackDataSample]:
        """End the video: the results of the frames that still wait."""
        with self.inferencer.precision():
            return self.state.flush(rescale=True)
