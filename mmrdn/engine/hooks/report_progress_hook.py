# Copyright (c) mmrdn contributors. All rights reserved.
import json
import time
from collections.abc import Sequence

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmrdn.registry import HOOKS


@HOOKS.register_module()
class ReportProgressHook(Hook):
    """Reports every iteration to the process that shows the progress.

    Args:
        out_file (str): File or pipe that gets a JSON line each: ``train``, ``val`` or ``test``;
            number of iterations done, in validation and test of frames; number of all; and the
            loss, in training.
    """

    priority = 'VERY_LOW'

    def __init__(self, out_file: str) -> None:
        self._file = open(out_file, 'w', buffering=1)
        self._written = 0.0

    def _after_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | Sequence | None = None,
        mode: str = 'train',
    ) -> None:
        """Write a line, four times a second at most: the loss waits for the GPU."""
        if time.monotonic() - self._written < 0.25 and not self._is_last(runner, batch_idx, mode):
            return
        self._written = time.monotonic()
        if mode == 'train':
            report = mode, runner.iter + 1, runner.max_iters, float(outputs['loss'])
        else:
            loader = getattr(runner, f'{mode}_dataloader')
            frames = len(loader.sampler)
            report = mode, min((batch_idx + 1) * (loader.batch_size or 1), frames), frames, None
        print(json.dumps(report), file=self._file)

    @staticmethod
    def _is_last(runner: Runner, batch_idx: int, mode: str) -> bool:
        if mode == 'train':
            return runner.iter + 1 >= runner.max_iters
        return batch_idx + 1 >= len(getattr(runner, f'{mode}_dataloader'))
