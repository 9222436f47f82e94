# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Iterator, Sequence
from typing import Any

from mmengine.dist import all_gather_object
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.logging import MMLogger
from mmengine.structures import BaseDataElement

from mmrdn.engine.loops.finished_videos import FinishedVideos


class VideoEvaluator(Evaluator):
    """MMEngine's evaluator, which also keeps finished videos and takes frames without a result.

    Args:
        metrics (Sequence[BaseMetric]): The metrics.
        finished (FinishedVideos): Keeper of finished videos.

    Attributes:
        skipped (list[str]): Reason of each bad frame: of this rank, of all ranks after
            :meth:`evaluate`.
    """

    def __init__(self, metrics: Sequence[BaseMetric], finished: FinishedVideos) -> None:
        super().__init__(metrics)
        self.finished = finished
        self.skipped: list[str] = []
        # Results by image id in the order of frames; None as long as the model works on it.
        self._waiting: dict[Any, dict | None] = {}

    def expect(self, frames: Sequence[tuple[Any, dict | None]]) -> None:
        """Take image ids of the frames that the model gets next, and the results of those it does not get."""
        self._waiting.update(frames)
        self.skipped += [sample['bad_frame'] for _, sample in frames if sample is not None]

    def process(self, data_samples: Sequence[BaseDataElement | dict], data_batch: Any = None) -> None:
        """Pass results on to the metrics, those of bad frames in their order among them."""
        samples = [sample.to_dict() if isinstance(sample, BaseDataElement) else sample for sample in data_samples]
        if self._waiting:
            self._waiting.update((sample['img_id'], sample) for sample in samples)
            samples = list(self._ready())
        super().process(samples, data_batch)
        for sample in samples:
            self.finished.add(sample)

    def _ready(self) -> Iterator[dict]:
        """Yield the results whose earlier frames all have theirs."""
        while self._waiting:
            img_id = next(iter(self._waiting))
            if self._waiting[img_id] is None:
                return
            yield self._waiting.pop(img_id)

    def take_finished(self, video_ids: Sequence[Any]) -> None:
        """Pass the results of finished videos on to the metrics."""
        for video_id in video_ids:
            super().process(self.finished.load(video_id))

    def evaluate(self, size: int) -> dict:
        """Return the metrics, and how many frames were skipped if any were."""
        metrics = super().evaluate(size)
        self.skipped = sorted({reason for reasons in all_gather_object(self.skipped) for reason in reasons})
        if not self.skipped:
            return metrics
        MMLogger.get_current_instance().warning(
            '%d bad frames count as frames without detections:\n%s', len(self.skipped), '\n'.join(self.skipped)
        )
        return metrics | dict(skipped_frames=len(self.skipped))
