# Copyright (c) mmrdn contributors. All rights reserved.
from mmengine.hooks import EarlyStoppingHook as MMEngineEarlyStoppingHook
from mmengine.runner import Runner

from mmrdn.registry import HOOKS


@HOOKS.register_module()
class EarlyStoppingHook(MMEngineEarlyStoppingHook):
    """MMEngine's hook, which may be off, leaves tests alone and remembers the scores before a resume.

    MMEngine's hook builds the training data in a test too, and forgets its count when a training is
    resumed. A checkpoint includes the validation at its own iteration only if that score was the best,
    so a training that is resumed there may stop one validation later.

    Args:
        monitor (str): Name of the score.
        patience (int, optional): Number of validations in a row without a gain of ``min_delta`` over the
            best score, after which the training ends; None for never. With ``min_delta=0.0`` only worse
            scores count.
        **kwargs: See MMEngine's hook.

    Raises:
        ValueError: ``patience`` is not 1 or more.
    """

    def __init__(self, monitor: str, patience: int | None = 5, **kwargs) -> None:
        if patience is not None and not (isinstance(patience, int) and patience >= 1):
            raise ValueError(f'early stop: patience must be 1 or more, or None for no early stop, got {patience}')
        super().__init__(monitor, patience=patience, **kwargs)

    def before_run(self, runner: Runner) -> None:
        """Leave the training loop alone, which a test does not need."""

    def before_train(self, runner: Runner) -> None:
        """Count the validations before a resume."""
        scores = runner.message_hub.log_scalars.get(f'val/{self.monitor}')
        if self.patience is not None and scores is not None:
            for score in scores.data[0]:
                self._check_stop_condition(score)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float]) -> None:
        """Decide whether the training ends."""
        if self.patience is not None:
            super().after_val_epoch(runner, metrics)
