# Copyright (c) mmrdn contributors. All rights reserved.

import numpy as np
from mmengine.hooks import Hook
from mmengine.runner import Runner, set_random_seed

from mmrdn.registry import HOOKS


@HOOKS.register_module()
class IterSeedHook(Hook):
    """Seed every training iteration from (seed, rank, iteration).

    What the model draws in an iteration (RoIs that the losses see, dropout) is then the same
    whether or not the training was interrupted before, with nothing to store in checkpoints and
    nothing to restore per rank. (A state kept in the checkpoint would also depend on the number of
    ranks, on what ran since it was taken, and on how MMEngine skips data.) The data are the
    business of :class:`mmrdn.datasets.SeededInfiniteSampler`. On a GPU, kernels that add in any
    order still differ in the last digits.
    """

    priority = 'VERY_HIGH'

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Seed Python, numpy and torch on all devices."""
        entropy = np.random.SeedSequence([runner.seed, runner.rank, runner.iter])
        set_random_seed(int(entropy.generate_state(1)[0]))
