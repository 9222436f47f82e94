# Copyright (c) mmrdn contributors. All rights reserved.
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner

from mmrdn.engine.hooks.iter_seed_hook import IterSeedHook
from mmrdn.engine.run_checks import check_images, check_monitors, unseeded_parts
from mmrdn.registry import HOOKS
from mmrdn.utils.model_parts import part_paths, unwrapped


@HOOKS.register_module()
class RunGuardHook(Hook):
    """Refuses, before the first frame, mistakes that a run would meet hours later.

    Parts of the model, metrics and images that an option names must exist. A training that would
    differ after a resume gets a warning.
    """

    def before_run(self, runner: Runner) -> None:
        """Compare a training with its model, data and validation.

        Raises:
            ValueError: An option names something that does not exist; names the option.
        """
        if not isinstance(runner.optim_wrapper, OptimWrapper):  # a test: nothing of a training is built
            return
        for option in ('activation_checkpointing', 'efficient_conv_bn_eval'):
            if runner.cfg.get(option) is not None:
                part_paths(unwrapped(runner.model), runner.cfg[option], option)
        if runner.val_loop is not None:
            check_images(runner.val_loop.evaluator, runner.val_dataloader, 'val')
        useless = check_monitors(runner)
        if useless:
            runner.logger.warning(useless)
        unseeded = unseeded_parts(runner.train_dataloader)
        if not any(isinstance(hook, IterSeedHook) for hook in runner.hooks):
            unseeded.append('custom_hooks has no mmrdn.IterSeedHook')
        if unseeded:
            text = 'a training that is resumed will differ from an unbroken one'
            runner.logger.warning(f'{text}: {"; ".join(unseeded)}')

    def before_test(self, runner: Runner) -> None:
        """Compare the images of a test with those of the file that they are measured by.

        Raises:
            ValueError: They are not the same.
        """
        check_images(runner.test_loop.evaluator, runner.test_dataloader, 'test')
