# Copyright (c) mmrdn contributors. All rights reserved.
from mmengine.dataset import InfiniteSampler
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, Runner

from mmrdn.engine.schedule_checks import check_schedulers_fit, check_values, named_schedulers, validation_problem
from mmrdn.registry import HOOKS


@HOOKS.register_module()
class ScheduleGuardHook(Hook):
    """Refuses a training whose schedule does not fit its length, or that never ends.

    Validations that do not fit get a warning.
    """

    def before_run(self, runner: Runner) -> None:
        """Compare schedulers and sampler with the training.

        Raises:
            ValueError: They do not fit, or a scheduler divides by zero; names the field of the config.
        """
        if not isinstance(runner.optim_wrapper, OptimWrapper):  # a test: nothing of a training is built
            return
        if isinstance(runner.train_loop, EpochBasedTrainLoop):
            self._check_sampler(runner)
        if runner.param_schedulers is not None:
            settings = [(name, type(one), one.state_dict()) for name, one in named_schedulers(runner.param_schedulers)]
            check_schedulers_fit(settings, runner)
            check_values(runner)
        problem = validation_problem(runner)
        if problem:
            runner.logger.warning(problem)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Refuse an epoch that continues after its end.

        Raises:
            ValueError: The epoch continues.
        """
        if isinstance(runner.train_loop, EpochBasedTrainLoop) and batch_idx >= len(runner.train_dataloader):
            self._refuse(runner.train_dataloader.sampler)

    def _check_sampler(self, runner: Runner) -> None:
        loader = runner.train_dataloader
        for sampler in (loader.sampler, getattr(loader.batch_sampler, 'sampler', None)):
            if isinstance(sampler, InfiniteSampler):
                self._refuse(sampler)

    @staticmethod
    def _refuse(sampler: object) -> None:
        raise ValueError(
            f'train_cfg counts epochs, but {type(sampler).__name__}, the sampler of train_dataloader, never ends: '
            'set sampler=dict(type="DefaultSampler", shuffle=True), or train_cfg.type="IterBasedTrainLoop"'
        )
