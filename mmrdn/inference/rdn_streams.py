# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from mmrdn.inference.frame_pipeline import FramePipeline
from mmrdn.models import RDN
from mmrdn.models.memory import Recorder
from mmrdn.models.task_modules import ByteTracker
from mmrdn.models.vid.stream import VideoStream
from mmrdn.utils.checks import check_num_frames


class RDNStreams:
    """Streams of videos through an RDN, any number at a time.

    Args:
        model (RDN): The detector.
        dataset (dict): Config of its test data set.
        scope (str, optional): Default scope of the config.
        precision (callable): Function that makes the context of the model's computations.
        lookahead (int, optional): Number of frames ahead that a frame waits for; the model's own if
            not given.
    """

    has_relations = True

    def __init__(
        self,
        model: RDN,
        dataset: dict,
        scope: str | None,
        precision: Callable[[], AbstractContextManager],
        lookahead: int | None = None,
    ) -> None:
        if lookahead is not None:
            check_num_frames('lookahead', lookahead, 0, model.temporal_range)
        self.model = model
        self.precision = precision
        window = model.new_window(lookahead)
        self.lookahead = window.lookahead if window is not None else 0
        self.pipeline = FramePipeline(dataset['pipeline'], scope)

    def open(
        self, name: str = '', recorders: Sequence[Recorder] = (), tracker: ByteTracker | None = None
    ) -> VideoStream:
        """Begin a new video."""
        return VideoStream(self.model, self.lookahead, recorders, self.pipeline, self.precision, name, tracker)

    def check_several(self) -> None:
        """Accept several videos at once."""
