# Copyright (c) mmrdn contributors. All rights reserved.
from typing import Any

from mmengine.fileio import BaseStorageBackend
from mmengine.hooks import CheckpointHook as MMEngineCheckpointHook
from mmengine.runner import Runner

from mmrdn.registry import HOOKS


@HOOKS.register_module()
class CheckpointHook(MMEngineCheckpointHook):
    """MMEngine's hook, which removes an old checkpoint once the new one is written.

    MMEngine removes it before: with ``max_keep_ckpts=1`` a run that is killed meanwhile leaves none.
    The disk must hold one checkpoint more than ``max_keep_ckpts``.

    Args:
        **kwargs: See MMEngine's hook.
    """

    def before_train(self, runner: Runner) -> None:
        """Put removals off from here on."""
        super().before_train(runner)
        self.file_backend = _LateRemovals(self.file_backend)

    def after_train_epoch(self, runner: Runner) -> None:
        """Save a checkpoint, then remove old ones."""
        super().after_train_epoch(runner)
        self.file_backend.remove_now()

    def after_train_iter(self, runner: Runner, *args, **kwargs) -> None:
        """Save a checkpoint, then remove old ones."""
        super().after_train_iter(runner, *args, **kwargs)
        self.file_backend.remove_now()

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float]) -> None:
        """Save a best checkpoint, then remove the one before."""
        super().after_val_epoch(runner, metrics)
        if isinstance(self.file_backend, _LateRemovals):  # not in a validation alone
            self.file_backend.remove_now()


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
