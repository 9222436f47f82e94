# Copyright (c) mmrdn contributors. All rights reserved.
"""Checks of a config against its data and metrics, before a run and not hours later."""

from collections.abc import Iterator
from typing import Any

from mmdet.datasets import MultiImageMixDataset
from mmengine.dataset import ConcatDataset, RepeatDataset
from mmengine.evaluator import Evaluator
from mmengine.hooks import CheckpointHook, EarlyStoppingHook
from mmengine.logging import MMLogger
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmrdn.datasets import DefaultSampler, SeededInfiniteSampler, SeededSamples
from mmrdn.engine.schedule_checks import named_schedulers
from mmrdn.evaluation import VIDMetric
from mmrdn.evaluation.scoring import check_same_images
from mmrdn.utils.text import nearest


def check_images(evaluator: Evaluator, loader: DataLoader, name: str) -> None:
    """Refuse a data set whose images differ from those of the file with its ground truth.

    Images of the same ids and other names get a warning.

    Args:
        evaluator (Evaluator): The metrics, of which each :class:`VIDMetric` is looked at.
        loader (DataLoader): Loader of the data set.
        name (str): ``val`` or ``test``.

    Raises:
        ValueError: They differ.
    """
    metrics = [metric for metric in evaluator.metrics if isinstance(metric, VIDMetric) and metric.file is not None]
    dataset = loader.dataset
    if not metrics or not hasattr(dataset, 'get_data_info'):
        return
    infos = map(dataset.get_data_info, range(len(dataset)))
    paths = {info.get('img_id'): info.get('img_path') for info in infos}
    for metric in metrics if None not in paths else ():
        names = {image['id']: image.get('file_name') for image in metric.file.data['images']}
        problems = 'are not in the data set', 'of the data set are not in it'
        try:
            check_same_images(paths, names, metric.file.path, problems)
        except ValueError as error:
            hint = '; of a ConcatDataset it must be the list of its files' if isinstance(dataset, ConcatDataset) else ''
            raise ValueError(f'ann_file of {name}_evaluator: {error}{hint}') from None
        others = [i for i, file_name in names.items() if file_name and paths[i] and not paths[i].endswith(file_name)]
        if others:
            MMLogger.get_current_instance().warning(
                f'{metric.file.path}: its image of the id {others[0]} is {names[others[0]]}, that of the data set is '
                f'{paths[others[0]]}: is ann_file that of the data set?'
            )


def check_monitors(runner: Runner) -> str | None:
    """Refuse names of metrics that the validation of a training does not give.

    Args:
        runner (Runner): Runner with the training.

    Returns:
        str or None: A warning, where nothing is ever validated.

    Raises:
        ValueError: One is unknown; names the nearest that are known.
    """
    monitors = list(_monitors(runner))
    if runner.val_loop is None:
        # By default `save_best` is on.
        names = ', '.join(option for option, _ in monitors if not option.endswith('save_best'))
        return f'{names}: of no use, as the training has no validation (val_cfg)' if names else None
    metrics = runner.val_loop.evaluator.metrics
    # The names of other metrics are known at their end.
    if monitors and all(isinstance(metric, VIDMetric) for metric in metrics):
        known = [name for metric in metrics for name in metric.metric_names]
        known += [name for hook in runner.hooks for name in getattr(hook, 'metric_names', ())]
        for option, metric in monitors:
            if metric not in known:
                raise ValueError(
                    f'{option}: validation gives no metric "{metric}", the nearest are {nearest(metric, known)}'
                )
    return None


def _monitors(runner: Runner) -> Iterator[tuple[str, str]]:
    """Yield each option of a training that names a metric, and the metric."""
    for hook in runner.hooks:
        if isinstance(hook, EarlyStoppingHook) and getattr(hook, 'patience', 0) is not None:
            yield f'{type(hook).__name__}.monitor', hook.monitor
        if isinstance(hook, CheckpointHook):
            for metric in hook.save_best or ():
                if metric != 'auto':
                    yield f'{type(hook).__name__}.save_best', metric
    for name, scheduler in named_schedulers(runner.param_schedulers or ()):
        if getattr(scheduler, 'need_val_args', False):
            yield f'{name}.monitor', scheduler.monitor


def unseeded_parts(loader: DataLoader) -> list[str]:
    """Return the parts that give a resumed training other samples, in a few words each.

    Args:
        loader (DataLoader): Loader of the training.
    """
    found = []
    samplers = (loader.sampler, getattr(loader.batch_sampler, 'sampler', None))
    if not any(isinstance(sampler, (DefaultSampler, SeededInfiniteSampler)) for sampler in samplers):
        name = type(loader.sampler).__name__
        found.append(f'{name} does not seed samples, mmrdn.SeededInfiniteSampler and mmrdn.DefaultSampler do')
    stranger = _unseeded_dataset(loader.dataset)
    if stranger is not None:
        name = type(stranger).__name__
        found.append(f'{name} does not seed its samples, derive it from mmrdn.datasets.SeededSamples')
    return found


def _unseeded_dataset(dataset: Any) -> Any:
    """Return the data set, or one inside it, that ignores seeded indices; None if all use them."""
    if isinstance(dataset, SeededSamples):
        return None
    if isinstance(dataset, (ConcatDataset, RepeatDataset, MultiImageMixDataset)):  # they pass the index on
        inner = dataset.datasets if isinstance(dataset, ConcatDataset) else [dataset.dataset]
        return next((found for found in map(_unseeded_dataset, inner) if found is not None), None)
    return dataset
