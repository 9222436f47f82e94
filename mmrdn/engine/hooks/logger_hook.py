# Copyright (c) mmrdn contributors. All rights reserved.
from mmengine.hooks import LoggerHook as MMEngineLoggerHook
from mmengine.runner import IterBasedTrainLoop, Runner

from mmrdn.registry import HOOKS


@HOOKS.register_module()
class LoggerHook(MMEngineLoggerHook):
    """MMEngine's hook, which logs a validation at the current iteration of the training.

    MMEngine logs it at the epoch by default, and a training by iterations stays in epoch 0.

    Args:
        **kwargs: See MMEngine's hook.
    """

    def before_train(self, runner: Runner) -> None:
        """Choose the step at which a validation is logged."""
        super().before_train(runner)
        if isinstance(runner.train_loop, IterBasedTrainLoop):
            self.log_metric_by_epoch = False
