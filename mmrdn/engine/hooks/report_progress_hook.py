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
        interval (float): Seconds between two lines; the last iteration always gets one. (A look at
            the loss waits for the GPU.)
    """

    priority = 'VERY_LOW'

    def __init__(self, out_file: str, interval: float = 0.25) -> None:
        self.interval = interval
        self._file = open(out_file, 'w', buffering=1)
        self._written = float('-inf')

    def _after_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | Sequence | None = None,
        mode: str = 'train',
    ) -> None:
        """Write a line, if it is time for one."""
        if mode == 'train':
            done, total = runner.iter + 1, runner.max_iters
        else:
            loader = getattr(runner, f'{mode}_dataloader')
            total = len(loader.sampler)
            done = min((batch_idx + 1) * (loader.batch_size or 1), total)
        if done < total and time.monotonic() - self._written < self.interval:
            return
        self._written = time.monotonic()
        loss = float(outputs['loss']) if mode == 'train' else None
        print(json.dumps((mode, done, total, loss)), file=self._file)
