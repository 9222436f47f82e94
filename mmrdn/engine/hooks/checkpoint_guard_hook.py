# Copyright (c) mmrdn contributors. All rights reserved.
import os
import re
import warnings

from mmengine.dist import broadcast
from mmengine.hooks import CheckpointHook, Hook
from mmengine.model import BaseModule, PretrainedInit
from mmengine.optim import OptimWrapper
from mmengine.runner import IterBasedTrainLoop, Runner
from torch import nn

from mmrdn.engine.schedule_checks import check_schedulers_fit, named_schedulers, schedule_changes
from mmrdn.fileio.checkpoint import check_state_dict, fitting_keys
from mmrdn.fileio.checkpoint_checks import MAX_COUNT, check_number
from mmrdn.fileio.download import shown_url
from mmrdn.fileio.training_state import check_message_hub, check_optimizer, check_schedulers
from mmrdn.registry import HOOKS
from mmrdn.utils.model_parts import unwrapped


@HOOKS.register_module()
class CheckpointGuardHook(Hook):
    """Refuses a checkpoint of another model instead of testing random weights.

    MMEngine only logs parameters that do not fit. A training may start from a part of another model
    as long as something fits; testing and resuming need all parameters, and no others. A training
    that is resumed also needs a state that its loop, optimizer and schedulers can continue from. The
    state takes precedence over the config, except for the length of the training; differences get a
    warning.

    Parts with pretrained weights (``init_cfg``) are initialized once the checkpoint is read, and only those
    that it does not fill: weights that it would replace are not fetched.

    Args:
        partial (bool): Whether a checkpoint may fill a part of the model.
    """

    def __init__(self, partial: bool = False) -> None:
        self.partial = partial
        self._waiting: dict[str, nn.Module] = {}  # parts with pretrained weights, by the prefix of their keys

    def before_run(self, runner: Runner) -> None:
        """Let the parts with pretrained weights wait for the checkpoint."""
        is_test = not isinstance(runner.optim_wrapper, OptimWrapper)
        if not runner._load_from or runner._has_loaded or is_test:
            return
        for name, part in unwrapped(runner.model).named_modules():
            if _is_pretrained(part) and not part.is_init:
                self._waiting[f'{name}.' if name else ''] = part
                part.is_init = True

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare the checkpoint with the model before it is loaded.

        Raises:
            ValueError: The checkpoint does not fit the model, or a training is to be resumed from
                weights alone or a broken state; names the file.
        """
        try:
            if runner._resume:
                _check_state(runner, checkpoint)
            check_state_dict(unwrapped(runner.model), checkpoint, partial=self.partial and not runner._resume)
        except ValueError as error:
            raise ValueError(f'{shown_url(runner._load_from)}: {error}') from None
        self._initialize_rest(unwrapped(runner.model), checkpoint)
        if runner._resume:
            changes = schedule_changes(checkpoint, runner)
            if changes and runner.rank == 0:
                warnings.warn(f'{shown_url(runner._load_from)} is of another schedule: {"; ".join(changes)}')
            _keep_to_work_dir(runner, checkpoint['message_hub']['runtime_info'])
            _keep_to_older(runner, checkpoint)

    def _initialize_rest(self, model: nn.Module, checkpoint: dict) -> None:
        """Initialize the waiting parts that the checkpoint does not fill, inner ones before those around them."""
        filled = set(fitting_keys(model, checkpoint)) if self._waiting else set()
        for prefix, part in reversed(self._waiting.items()):
            if not filled.issuperset(prefix + key for key in part.state_dict()):
                part.is_init = False
                part.init_weights()
                for value in part.state_dict().values():  # as MMEngine does: ranks may draw other numbers
                    broadcast(value)
        self._waiting.clear()


def _is_pretrained(module: nn.Module) -> bool:
    init_cfg = (isinstance(module, BaseModule) and module.init_cfg) or ()
    settings = [init_cfg] if isinstance(init_cfg, dict) else init_cfg
    return any(one['type'] in ('Pretrained', PretrainedInit) for one in settings)


def _check_state(runner: Runner, checkpoint: dict) -> None:
    """Raise ValueError unless the training can continue from the state in a checkpoint."""
    if 'message_hub' not in checkpoint:
        raise ValueError(
            'the checkpoint holds no state of a training to resume, as '
            'published ones do not: start from it with --cfg-options '
            'load_from=CHECKPOINT'
        )
    check_message_hub(checkpoint['message_hub'])
    meta, loop = checkpoint.get('meta', {}), runner.train_loop
    by_iter = isinstance(loop, IterBasedTrainLoop)  # which skips the data of that many iterations
    check_number(meta.get('iter'), 'meta.iter', loop.max_iters if by_iter else MAX_COUNT)
    check_number(meta.get('epoch'), 'meta.epoch', MAX_COUNT if by_iter else loop.max_epochs)
    for part, ours in (('optimizer', runner.optim_wrapper), ('param_schedulers', runner.param_schedulers)):
        if ours is not None and part not in checkpoint:
            raise ValueError(
                f'the checkpoint holds no {part}, as the best ones of a training do not: '
                'start from it with --cfg-options load_from=CHECKPOINT'
            )
    check_optimizer(checkpoint['optimizer'], runner.optim_wrapper)
    if runner.param_schedulers is not None:
        states = checkpoint['param_schedulers']
        check_schedulers(states, runner.param_schedulers)
        both = zip(named_schedulers(states), named_schedulers(runner.param_schedulers))
        settings = [(name, type(scheduler), state) for (name, state), (_, scheduler) in both]
        check_schedulers_fit(settings, runner, resumed=True)


def _keep_to_work_dir(runner: Runner, info: dict) -> None:
    """Forget a best checkpoint in another directory: at a better score MMEngine removes the file."""
    own = {os.path.realpath(runner.work_dir)}
    for hook in runner.hooks:
        if isinstance(hook, CheckpointHook) and hook.out_dir is not None:
            own.add(os.path.realpath(os.path.join(hook.out_dir, os.path.basename(runner.work_dir.rstrip(os.sep)))))
    for name in [name for name in info if re.match('best_ckpt($|_)', name)]:
        if info[name] is not None and os.path.dirname(os.path.realpath(info[name])) not in own:
            del info[name]


def _keep_to_older(runner: Runner, checkpoint: dict) -> None:
    """Keep only checkpoints before this one in the list of removals, the newest ``max_keep_ckpts``.

    If there are more, MMEngine removes the first ones before it saves a new one.
    """
    info, meta = checkpoint['message_hub']['runtime_info'], checkpoint['meta']
    for hook in runner.hooks:
        if isinstance(hook, CheckpointHook) and hook.max_keep_ckpts > 0 and 'keep_ckpt_ids' in info:
            by_epoch = hook.by_epoch and not isinstance(runner.train_loop, IterBasedTrainLoop)
            older = {step for step in info['keep_ckpt_ids'] if step <= meta['epoch' if by_epoch else 'iter']}
            info['keep_ckpt_ids'] = sorted(older)[-hook.max_keep_ckpts :]
