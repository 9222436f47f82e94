# Copyright (c) mmrdn contributors. All rights reserved.
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmrdn.fileio.checkpoint import check_state_dict
from mmrdn.registry import HOOKS


@HOOKS.register_module()
class CheckpointGuardHook(Hook):
    """Refuses a checkpoint of another model instead of testing random weights.

    MMEngine only logs parameters that do not fit. A training may start from a part of another model
    as long as something fits; testing and resuming need all parameters, and no others.

    Args:
        partial (bool): Whether a checkpoint may fill a part of the model.
    """

    def __init__(self, partial: bool = False) -> None:
        self.partial = partial

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare the checkpoint with the model before it is loaded.

        Raises:
            ValueError: The checkpoint does not fit the model, or a training is to be resumed from
                weights alone.
        """
        if runner._resume and 'message_hub' not in checkpoint:
            raise ValueError(
                'the checkpoint holds no state of a training to resume, as '
                'published ones do not: start from it with --cfg-options '
                'load_from=CHECKPOINT'
            )
        model = runner.model
        if is_model_wrapper(model):
            model = model.module
        check_state_dict(model, checkpoint, partial=self.partial)
