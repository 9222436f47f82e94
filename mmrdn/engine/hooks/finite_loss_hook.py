# Copyright (c) mmrdn contributors. All rights reserved.

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmrdn.registry import HOOKS


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Stop a training whose loss is NaN or infinite, before it is saved.

    Args:
        interval (int): Iterations between two looks at the loss (a look waits for the GPU). The
            last iteration is looked at too.
    """

    priority = 'ABOVE_NORMAL'

    def __init__(self, interval: int = 50) -> None:
        if interval < 1:
            raise ValueError(f'interval must be at least 1 iteration, got {interval}')
        self.interval = interval

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Look at the loss.

        Raises:
            ValueError: It is NaN or infinite; names its components.
        """
        if not (self.every_n_train_iters(runner, self.interval) or self.is_last_train_iter(runner)):
            return
        bad = [name for name, value in outputs.items() if not torch.isfinite(torch.as_tensor(value)).all()]
        if bad:
            raise ValueError(
                f'the training stopped at iteration {runner.iter + 1}: '
                f'{", ".join(sorted(bad))} became NaN or infinite; try a '
                'lower learning rate or clip_grad'
            )
