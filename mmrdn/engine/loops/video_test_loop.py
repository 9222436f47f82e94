# Copyright (c) mmrdn contributors. All rights reserved.
import copy
import warnings
from collections.abc import Sequence

import torch
from mmengine.dist import is_main_process
from mmengine.runner import Runner, TestLoop
from mmengine.runner.amp import autocast
from mmtrack.models import BaseVideoDetector

from mmrdn.datasets import RemainingFrames, SkippableFrame, collate_skippable
from mmrdn.engine.loops.finished_videos import FinishedVideos
from mmrdn.engine.loops.video_evaluator import VideoEvaluator
from mmrdn.registry import LOOPS
from mmrdn.utils.dataset_configs import leaf_datasets
from mmrdn.utils.model_parts import unwrapped


@LOOPS.register_module()
class VideoTestLoop(TestLoop):
    """MMEngine's test, which keeps finished videos if it ends early, and can skip bad frames.

    Bad frames are no supports: the other frames are detected as if the video did not contain them.

    Args:
        runner (Runner): The runner.
        dataloader (dict): Data loader.
        evaluator (dict or list): Metrics.
        on_bad_frame (str): 'stop' at a frame that cannot be loaded, or 'skip' it, so that it counts
            as a frame without detections.
        resume (bool): Whether to skip the videos that an earlier test with the same checkpoint,
            model and data finished.
        fp16 (bool): Whether to test in mixed precision.

    Raises:
        ValueError: The work directory holds finished videos of another test alone; or the detector
            needs every frame.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: dict,
        evaluator: dict | list,
        on_bad_frame: str = 'stop',
        resume: bool = False,
        fp16: bool = False,
    ) -> None:
        self.finished = FinishedVideos(runner.work_dir, runner.cfg, runner._load_from)
        self.skips = on_bad_frame == 'skip'
        dataloader = copy.deepcopy(dataloader)
        if self.skips:
            self._check_model(runner)
            for dataset in leaf_datasets(dataloader['dataset']):
                dataset['pipeline'] = [dict(type=SkippableFrame, transforms=dataset['pipeline'])]
            dataloader['collate_fn'] = collate_skippable
        if resume:
            self._check_finished()
            contained = self.finished.__contains__
            dataloader['sampler'] = dict(type=RemainingFrames, sampler=dataloader['sampler'], is_finished=contained)
        elif len(self.finished):
            warnings.warn(f'{self.finished.directory} holds finished videos: --resume-test continues from them')
        metrics = runner.build_evaluator(evaluator).metrics
        super().__init__(runner, dataloader, VideoEvaluator(metrics, self.finished), fp16)

    @staticmethod
    def _check_model(runner: Runner) -> None:
        model = unwrapped(runner.model)
        if isinstance(model, BaseVideoDetector) and not hasattr(model, 'flush'):
            raise ValueError(f'--on-bad-frame skip does not work with {type(model).__name__}, which needs every frame')

    def _check_finished(self) -> None:
        if self.finished.directory.is_dir():
            return
        others = sorted(self.finished.work_dir.glob('test-*.partial'))
        if others:
            raise ValueError(
                f'{others[0]} is of a test with another checkpoint or another config, expected one of '
                f'this test, {self.finished.directory.name}; leave out --resume-test to start over'
            )
        warnings.warn(f'work_dir {self.finished.work_dir} holds no finished videos: the test starts over')

    def run(self) -> dict:
        """Test; keep the finished videos if that fails.

        Returns:
            dict: Metrics.
        """
        try:
            self.evaluator.take_finished(list(getattr(self.dataloader.sampler, 'finished', ())))
            metrics = super().run()
        except BaseException:
            if len(self.finished):
                warnings.warn(
                    f'{len(self.finished)} finished videos are kept in {self.finished.directory}: '
                    '--resume-test continues from them'
                )
            raise
        if is_main_process():
            self.finished.clear()
        return metrics

    @torch.no_grad()
    def run_iter(self, idx: int, data_batch: dict | Sequence) -> None:
        """Test a batch, except its bad frames.

        Args:
            idx (int): Index of the batch.
            data_batch (dict or Sequence): Batch of the data loader.
        """
        if not self.skips:
            return super().run_iter(idx, data_batch)
        frames, good = data_batch
        self.evaluator.expect(frames)
        last = frames[-1][1]
        self.runner.call_hook('before_test_iter', batch_idx=idx, data_batch=good)
        with autocast(enabled=self.fp16):
            outputs = [] if good is None else list(self.runner.model.test_step(good))
            if last is not None and last.get('frame_id', -1) + 1 == last.get('video_length'):
                # The model does not see the end of this video.
                outputs += getattr(unwrapped(self.runner.model), 'flush', list)()
        self.evaluator.process(outputs, good)
        self.runner.call_hook('after_test_iter', batch_idx=idx, data_batch=good, outputs=outputs)
