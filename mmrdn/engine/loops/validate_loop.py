# Copyright (c) mmrdn contributors. All rights reserved.
import torch.nn as nn
from mmengine.runner import IterBasedTrainLoop, Runner

from mmrdn.engine.hooks import CheckpointGuardHook
from mmrdn.registry import LOOPS


@LOOPS.register_module()
class ValidateLoop(IterBasedTrainLoop):
    """Training without iterations, which validates the weights of ``load_from``.

    ``mim gridsearch`` can only train. With ``train_cfg.type=ValidateLoop`` it compares options of
    testing, such as T (Table 4), with the same trained model.

    Args:
        runner (Runner): Runner with a validation and with ``load_from``, a checkpoint that must fit
            the model in every parameter.
        *args: Arguments of a training loop, unused.
        **kwargs: Keyword arguments of a training loop, unused.

    Raises:
        ValueError: The runner lacks the checkpoint or the validation.
    """

    def __init__(self, runner: Runner, *args, **kwargs) -> None:
        if runner.val_loop is None or not runner._load_from:
            raise ValueError('ValidateLoop needs load_from, the checkpoint to validate, and val_cfg')
        super().__init__(runner, *args, **kwargs)
        for hook in runner.hooks:
            if isinstance(hook, CheckpointGuardHook):
                hook.partial = False

    def run(self) -> nn.Module:
        """Validate once."""
        self.runner.call_hook('before_train')
        self.runner.val_loop.run()
        self.runner.call_hook('after_train')
        return self.runner.model
