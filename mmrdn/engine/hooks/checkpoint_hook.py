# Copyright (c) mmrdn contributors. All rights reserved.
from typing import Any

from mmengine.fileio import BaseStorageBackend
from mmengine.hooks import CheckpointHook as MMEngineCheckpointHook
from mmengine.runner import IterBasedTrainLoop, Runner

from mmrdn.registry import HOOKS
from mmrdn.utils.text import shown


@HOOKS.register_module()
class CheckpointHook(MMEngineCheckpointHook):
    """MMEngine's hook, for trainings of any length and any end.

    - An interval that is longer than the training becomes a fifth of the training.
    - A training that stops early or is interrupted is saved, by :meth:`save_rest`.
    - An old checkpoint is removed once the new one is written. MMEngine removes it before: with
      ``max_keep_ckpts=1`` a run that is killed meanwhile leaves none. The disk must hold one
      checkpoint more than ``max_keep_ckpts``.
    - A score of ``save_best`` that a validation does not give gets a warning; the training continues.

    As in MMEngine, a validation with a new best score also saves a whole checkpoint, outside the interval;
    ``max_keep_ckpts`` limits how many stay.

    Args:
        **kwargs: See MMEngine's hook.
    """

    _begun: int | None = None  # iterations or epochs before this run's first one

    def before_train(self, runner: Runner) -> None:
        """Choose the interval; put removals off from here on."""
        self._fit_interval(runner)
        super().before_train(runner)
        self.file_backend = _LateRemovals(self.file_backend)
        self._saved = self._begun = self._trained(runner)

    def _trained(self, runner: Runner) -> int:
        return runner.epoch if self.by_epoch else runner.iter

    def _fit_interval(self, runner: Runner) -> None:
        asked = f'{self.interval} {self._unit}'
        if self.by_epoch and isinstance(runner.train_loop, IterBasedTrainLoop):
            self.by_epoch = False  # to this loop the whole training is one epoch
            self.filename_tmpl = self.filename_tmpl.replace('epoch_', 'iter_')
        length = runner.max_epochs if self.by_epoch else runner.max_iters
        fits = asked == f'{self.interval} {self._unit}' and self.interval <= length
        if self.interval > 0 and not fits:
            self.interval = max(1, length // 5)
            runner.logger.info(
                f'The checkpoint hook saves every {self.interval} {self._unit}: '
                f'its interval of {asked} does not fit a training of {length} {self._unit}'
            )

    @property
    def _unit(self) -> str:
        return 'epochs' if self.by_epoch else 'iterations'

    def after_train_epoch(self, runner: Runner) -> None:
        """Save a checkpoint, then remove old ones."""
        super().after_train_epoch(runner)
        self.file_backend.remove_now()

    def after_train_iter(self, runner: Runner, *args, **kwargs) -> None:
        """Save a checkpoint, then remove old ones."""
        super().after_train_iter(runner, *args, **kwargs)
        self.file_backend.remove_now()

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float]) -> None:
        """Save a best checkpoint of what this run trains, then remove the one before."""
        if self._begun in (None, self._trained(runner)):
            return
        missing = [name for name in self.save_best or () if metrics and name not in (*metrics, 'auto')]
        if missing:
            runner.logger.warning(
                f'no best checkpoint: the validation does not give {", ".join(missing)}; let '
                f'default_hooks.checkpoint.save_best name a score that it gives: {shown(", ".join(metrics))}'
            )
            return
        super().after_val_epoch(runner, metrics)
        self.file_backend.remove_now()

    def after_train(self, runner: Runner) -> None:
        """Save a training that has stopped early; publish."""
        if self.save_last:
            self.save_rest(runner, runner.iter)
        super().after_train(runner)

    def save_rest(self, runner: Runner, iterations: int) -> str | None:
        """Save a training that has ended between two checkpoints.

        Args:
            runner (Runner): The runner, between two iterations.
            iterations (int): Number of iterations that are done.

        Returns:
            str or None: Path of the checkpoint that holds the last iteration. None if the hook
            counts epochs and the training ended within one, where no training can continue: the
            weights are in ``interrupted.pth`` then.
        """
        done = runner.epoch if self.by_epoch else iterations
        meta = dict(epoch=runner.epoch, iter=iterations)
        if self.by_epoch and iterations != done * len(runner.train_dataloader):
            runner.save_checkpoint(self.out_dir, 'interrupted.pth', meta=meta, backend_args=self.backend_args)
            return None
        if done != self._saved:
            self._save_checkpoint_with_step(runner, done, meta)
            self.file_backend.remove_now()
        return self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(done))

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        super()._save_checkpoint_with_step(runner, step, meta)
        self._saved = step


class _LateRemovals:
    """File backend whose removals wait until they are asked for.

    Args:
        backend (BaseStorageBackend): Backend that removes the files.
    """

    def __init__(self, backend: BaseStorageBackend) -> None:
        self._backend = backend
        self._waiting: list[tuple[Any, str]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def remove(self, path: str) -> None:
        """Remove a file later."""
        self._waiting.append((self._backend.remove, path))

    def rmtree(self, path: str) -> None:
        """Remove a directory later."""
        self._waiting.append((self._backend.rmtree, path))

    def remove_now(self) -> None:
        """Remove what waits."""
        while self._waiting:
            remove, path = self._waiting.pop(0)
            remove(path)
