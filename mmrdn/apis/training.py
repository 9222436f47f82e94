# Copyright (c) mmrdn contributors. All rights reserved.
"""Training by a runner, however it ends."""

import contextlib
import warnings

from mmengine.runner import Runner

from mmrdn.engine import CheckpointHook, WholeIterationsHook
from mmrdn.engine.distributed.rank_watch import RankWatch
from mmrdn.utils.interrupts import hold_interrupts


def train(runner: Runner) -> None:
    """Train, and save what is done if that ends early.

    A signal takes effect after the current iteration. The training is also saved after an error between
    two iterations, such as an image that cannot be read or a validation that fails; after an error within
    an iteration the last checkpoint stays the newest.

    With several ranks, the first one saves and ends the job, whichever rank gets the signal.

    Args:
        runner (Runner): Runner of :func:`build_runner`.

    Raises:
        KeyboardInterrupt: A signal came; the message names the checkpoint.
    """
    hook = WholeIterationsHook()
    runner.register_hook(hook)
    try:
        with _asking_first_rank(runner.rank):
            runner.train()
    except BaseException as error:
        saved = ''
        with contextlib.suppress(KeyboardInterrupt, RuntimeError):  # came within an iteration that failed
            hook.release()
        if hook.is_whole and runner.rank == 0:
            with contextlib.suppress(KeyboardInterrupt, RuntimeError), hold_interrupts():
                saved = _save(runner, hook)
        if isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt(saved and f'interrupted {saved}') from None
        if saved:
            warnings.warn(f'the training ended {saved}')
        raise


def _asking_first_rank(rank: int) -> contextlib.AbstractContextManager:
    """Return a context in which signals to another rank than the first are handed to the first."""
    if rank == 0 or RankWatch.current is None:
        return contextlib.nullcontext()
    return hold_interrupts(RankWatch.current.ask_to_end)


def _save(runner: Runner, hook: WholeIterationsHook) -> str:
    """Save a training that has ended; return where in a few words."""
    place = f'after iteration {hook.done}'
    for saver in runner.hooks:
        if not isinstance(saver, CheckpointHook):
            continue
        try:
            path = saver.save_rest(runner, hook.done)
        except (OSError, RuntimeError) as error:  # torch's writer raises the latter
            return f'{place}, which cannot be saved: {error}'
        if path is None:
            return (
                f'{place}, within epoch {runner.epoch + 1}: its weights are in {saver.out_dir}/interrupted.pth, '
                '--resume repeats the epoch'
            )
        return f'{place}: --resume continues from {path}'
    return place
