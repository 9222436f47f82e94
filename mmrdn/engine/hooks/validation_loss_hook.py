# Copyright (c) mmrdn contributors. All rights reserved.
import contextlib
import random
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import torch
from mmengine.config import ConfigDict
from mmengine.dataset import pseudo_collate
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch.utils.data import Dataset

from mmrdn.datasets import ConcatDataset, EveryFrameDataset
from mmrdn.datasets.seeded_index import SeededIndex
from mmrdn.registry import DATASETS, HOOKS
from mmrdn.utils.dataset_configs import leaf_datasets


@HOOKS.register_module()
class ValidationLossHook(Hook):
    """Loss on the data of the validation, measured before each validation.

    Its samples are made as in training, key frame and support frames alike, from the files of
    ``val_dataloader`` by the pipeline of ``train_dataloader``. They are the same ones in every
    validation, evenly spaced over the files, and drawn with the same random numbers. The results are
    logged, as ``val_loss`` and ``val_<name>`` of its parts, and can choose the best checkpoint:
    ``save_best='val_loss', rule='less'``. Every rank measures all of it.

    Args:
        num_samples (int, optional): Number of samples; None for no loss.

    Raises:
        ValueError: ``num_samples`` is not 1 or more.
    """

    def __init__(self, num_samples: int | None = 100) -> None:
        if num_samples is not None and not (isinstance(num_samples, int) and num_samples >= 1):
            raise ValueError(f'validation loss: num_samples must be 1 or more, or None for no loss, got {num_samples}')
        self.num_samples = num_samples
        self._dataset: Dataset | None = None
        self._losses: dict[str, float] = {}

    @property
    def metric_names(self) -> list[str]:
        """list[str]: Name of the metric that other hooks may go by."""
        return [] if self.num_samples is None else ['val_loss']

    def before_train(self, runner: Runner) -> None:
        """Read the data: what is wrong with them ends the training before it begins."""
        if self.num_samples is not None and runner.val_loop is not None:
            self._dataset = _make_dataset(runner.cfg)

    def before_val_epoch(self, runner: Runner) -> None:
        """Measure and log."""
        if self._dataset is None:
            return
        with _own_random_numbers():
            self._losses = self._measure(runner)
        for name, value in self._losses.items():
            runner.message_hub.update_scalar(f'val/{name}', value)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Add the losses to the metrics, for hooks that come later."""
        if metrics is not None:
            metrics.update(self._losses)

    @torch.no_grad()
    def _measure(self, runner: Runner) -> dict[str, float]:
        """Return the mean losses."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        model.eval()
        size = len(self._dataset)  # type: ignore[arg-type]
        count = min(self.num_samples or size, size)
        sums: dict[str, float] = defaultdict(float)
        for position in range(count):
            index = SeededIndex((2 * position + 1) * size // (2 * count), runner.seed or 0, position)
            batch = model.data_preprocessor(pseudo_collate([self._dataset[index]]))  # type: ignore[index]
            _, losses = model.parse_losses(model(**batch, mode='loss'))
            for name, value in losses.items():
                sums[f'val_{name}'] += float(value)
        return {name: value / count for name, value in sums.items()}


def _make_dataset(cfg: ConfigDict) -> Dataset:
    """Build the data set: files of the validation, everything else of the training."""
    leaf, *_ = leaf_datasets(cfg.train_dataloader.dataset)
    metainfo = DATASETS.build(dict(leaf, lazy_init=True)).metainfo
    classes = metainfo.get('classes', metainfo.get('CLASSES'))
    leaf = dict(leaf, type=EveryFrameDataset, metainfo=dict(classes=classes), indices=None)
    files = [
        {key: other[key] for key in ('ann_file', 'data_root', 'data_prefix') if key in other}
        for other in leaf_datasets(cfg.val_dataloader.dataset)
    ]
    return ConcatDataset([dict(leaf, **file) for file in files])


@contextlib.contextmanager
def _own_random_numbers() -> Iterator[None]:
    """Keep the generators as they are for those who come after."""
    states = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        yield
    random.setstate(states[0])
    np.random.set_state(states[1])
