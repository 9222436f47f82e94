# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Sequence
from pathlib import Path

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmrdn.fileio.json_files import write_json
from mmrdn.registry import HOOKS
from mmrdn.utils.machine import idle_time, machine


@HOOKS.register_module()
class CostHook(Hook):
    """Measures the cost of a detector in a test: parameters and time per frame.

    The hook times the test step: the transfer of the batch to the device, its normalization, the
    network, NMS, and the metric's work on the results, box linking included. It does not time reading,
    decoding and resizing in the data loader. The GPU is synchronized before and after. The time per
    frame is that of whole videos divided by their frames, as a detector may do the work of many frames
    in one step and none in another. The first video is a warm-up; it counts only if there is no other.
    Frames that are left out (``--on-bad-frame skip``) are not counted.

    Args:
        out_file (str): JSON file to write: ``parameters``, ``ms_per_frame``, the timed ``frames`` and
            ``videos``, ``ms_by_video``, and the ``machine``.
    """

    priority = 'VERY_HIGH'

    def __init__(self, out_file: str) -> None:
        self.out_file = Path(out_file)

    def before_test_epoch(self, runner: Runner) -> None:
        """Start with no video."""
        self._videos: list[dict] = []
        self._video = object()  # unlike any id

    def before_test_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Start the clock."""
        if data_batch is not None:  # as it is where all its frames are bad
            first = data_batch['data_samples'][0]
            video = first.metainfo.get('video_id')
            if video != self._video or first.metainfo.get('frame_id') == 0:
                self._video = video
                self._videos.append(dict(frames=0, seconds=0.0))
        self._start = idle_time()

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: Sequence | None = None
    ) -> None:
        """Add the time since the start of the step."""
        if self._videos:
            self._videos[-1]['seconds'] += idle_time() - self._start
            self._videos[-1]['frames'] += 0 if data_batch is None else len(data_batch['data_samples'])

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Write the file."""
        timed = self._videos[1:] or self._videos
        if not timed:
            runner.logger.warning(f'CostHook: no frame could be timed, {self.out_file} is not written')
            return
        frames = sum(video['frames'] for video in timed)
        seconds = sum(video['seconds'] for video in timed)
        result = dict(
            parameters=sum(p.numel() for p in runner.model.parameters()),
            ms_per_frame=1000 * seconds / frames,
            frames=frames,
            videos=len(timed),
            ms_by_video=[1000 * video['seconds'] / video['frames'] for video in timed],
            machine=machine(),
        )
        if runner.rank == 0:
            write_json(result, self.out_file)
