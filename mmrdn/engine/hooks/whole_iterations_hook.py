# Copyright (c) mmrdn contributors. All rights reserved.
import contextlib

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmrdn.registry import HOOKS
from mmrdn.utils.interrupts import hold_interrupts


@HOOKS.register_module()
class WholeIterationsHook(Hook):
    """Lets signals take effect between two iterations of a training, not within one.

    Weights, optimizer and schedulers then are those of one iteration, and can be saved.

    Attributes:
        done (int): Number of iterations that are done.
        is_whole (bool): Whether a training has begun and is between two of them.
    """

    priority = 'LOWEST'  # the checkpoint of an iteration is written before it is done

    def __init__(self) -> None:
        self.done = 0
        self.is_whole = False
        self._held = contextlib.ExitStack()

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Hold signals."""
        self._held.enter_context(hold_interrupts())
        self.is_whole = False

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Let a signal that came during the iteration take effect."""
        self.done, self.is_whole = runner.iter + 1, True
        self.release()

    def release(self) -> None:
        """Stop holding signals."""
        self._held.close()
