# Copyright (c) mmrdn contributors. All rights reserved.

import numpy as np
from mmengine.hooks import Hook
from mmengine.runner import Runner, set_random_seed

from mmrdn.registry import HOOKS


@HOOKS.register_module()
class IterSeedHook(Hook):
    """Seeds every training iteration from (seed, rank, iteration).

    The random numbers of an iteration (RoIs sampled for the losses, dropout) are then the same
    whether or not the training was interrupted before. Checkpoints store nothing for it. (A stored
    state would depend on the number of ranks, on the code that ran since, and on how MMEngine skips
    data.) :class:`mmrdn.datasets.SeededInfiniteSampler` does the same for the data. On a GPU,
    kernels that add in any order still differ in the last digits.
    """

    priority = 'VERY_HIGH'

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Seed Python, numpy and torch on all devices."""
        entropy = np.random.SeedSequence([runner.seed, runner.rank, runner.iter])
        set_random_seed(int(entropy.generate_state(1)[0]))
