# Copyright (c) mmrdn contributors. All rights reserved.
import hashlib
import os
import sys
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from mmengine.config import ConfigDict
from rich.console import Console

from mmrdn.apis.config_files import TEST_KEYS, TRAIN_KEYS, find_tool, load_config
from mmrdn.comparison.command_progress import Command, run_with_progress
from mmrdn.fileio.download import cache_name, file_hash, shown_url
from mmrdn.fileio.fields import NUMBER, check_entry
from mmrdn.fileio.json_files import read_json, write_json
from mmrdn.utils.cli import parse_options, path_option
from mmrdn.utils.config_types import type_name
from mmrdn.utils.machine import machine

METRICS = {'mAP50': 'mAP50', 'slow': 'mAP50_slow', 'medium': 'mAP50_medium', 'fast': 'mAP50_fast'}
_RESULT = 'result.json'


@dataclass
class DetectorRun:
    """A detector in its own directory, trained and tested by the tools.

    Finished steps are not repeated, and an interrupted training resumes from its last checkpoint.

    Args:
        name (str): Name of the detector.
        config (str): Path of its config, with a ``VIDMetric`` in ``test_evaluator``.
        directory (Path): Directory of checkpoints, logs, ``val.predictions.json`` and
            ``result.json``.
        options (Sequence[str]): Words of ``--cfg-options``.
        checkpoint (str, optional): Path or URL of a checkpoint to test instead of training.
        device (str, optional): Device, such as ``cuda:1`` or ``cpu``.
        threads (int): Number of CPU threads in the test.
        trust_checkpoint (bool): Unpickle the checkpoint.

    Raises:
        FileNotFoundError: The config or the checkpoint does not exist.
        ValueError: The config cannot be read or compared.
    """

    name: str
    config: str
    directory: Path
    options: Sequence[str] = ()
    checkpoint: str | None = None
    device: str | None = None
    threads: int = 1
    trust_checkpoint: bool = False

    def __post_init__(self) -> None:
        self.options = [*self.options, 'test_dataloader.batch_size=1']
        needs = TEST_KEYS if self.checkpoint else (*TEST_KEYS, *TRAIN_KEYS)
        self.cfg = load_config(self.config, parse_options(self.options), needs=needs)
        self.metric_key, self.metric = find_vid_metric(self.cfg, self.config)

    def __call__(self, console: Console) -> dict[str, Any]:
        """Train unless there is a checkpoint, and test.

        Args:
            console (Console): Console of the progress.

        Returns:
            dict: mAP in points, ``None`` where there is no ground truth; ``ms_per_frame`` and
            ``parameters`` as :class:`mmrdn.engine.CostHook` measures them; ``train_minutes``,
            ``None`` unless it was trained here without a break.

        Raises:
            ValueError: The directory holds another run, or a step failed.
        """
        return run_side_by_side([self], console)[0]

    def _claim(self) -> None:
        """Take the directory, or check that it holds this run."""
        claim = self.directory / 'settings.json'
        settings = self._settings()
        if claim.exists():
            if read_json(claim) != settings:
                raise ValueError(
                    f'{self.directory} holds a run with other settings (see {claim}); choose another --work-dir'
                )
            return
        if self.directory.exists() and any(self.directory.iterdir()):
            raise ValueError(f'{self.directory} is not empty and holds no run of this kind; choose another --work-dir')
        self.directory.mkdir(parents=True, exist_ok=True)
        write_json(settings, claim)

    def _settings(self) -> dict[str, Any]:
        """Return what tells this run from others."""
        ann_file = self.metric.get('ann_file')
        return dict(
            config=hashlib.sha256(self.cfg.pretty_text.encode()).hexdigest()[:16],
            checkpoint=_identity(self.checkpoint),
            # Another run may write the annotation file again.
            ground_truth=file_hash(ann_file)[:16] if ann_file else None,
            machine={key: value for key, value in machine().items() if key in ('cpu', 'gpu')},
            device=self.device,
            threads=self.threads,
        )

    def steps(self) -> Generator[Command, float, None]:
        """Yield the commands that are still to run; is sent how many minutes each took."""
        checkpoint, minutes = self.checkpoint, None
        if not checkpoint:
            trained, last = self.directory / 'trained.json', self.directory / 'last_checkpoint'
            if not trained.exists():
                resumed = last.exists()
                took = yield self._command('train', ['--resume', '--work-dir', str(self.directory)], [])
                write_json(dict(minutes=None if resumed else round(took, 2)), trained)
            checkpoint, minutes = last.read_text().strip(), _read_object(trained).get('minutes')
        prefix, cost, work_dir = (self.directory / name for name in ('val', 'cost.json', 'test'))
        Path(f'{prefix}.predictions.json').unlink(missing_ok=True)
        yield self._command(
            'test',
            [checkpoint, *(['--trust-checkpoint'] if self.trust_checkpoint else []), '--work-dir', str(work_dir)],
            [
                path_option(f'{self.metric_key}.outfile_prefix', prefix),
                'default_hooks.cost.type=mmrdn.CostHook',
                path_option('default_hooks.cost.out_file', cost),
            ],
        )
        logs = sorted(work_dir.glob('2*/2*.json'), key=lambda path: path.stat().st_mtime)
        scalars, first = _read_object(logs[-1]), self.metric.get('prefix') or 'vid'
        row = {key: round(100 * scalars.get(f'{first}/{name}', float('nan')), 2) for key, name in METRICS.items()}
        row |= dict(_read_object(cost), train_minutes=minutes, checkpoint=shown_url(checkpoint))
        write_json(row, self.directory / _RESULT)

    def _command(self, tool: str, args: list[str], options: list[str]) -> Command:
        """Return a run of ``tools/train.py`` or ``tools/test.py``."""
        # Threads wait awake for a moment only: on a busy machine those that spin keep the others
        # from working.
        env = dict(os.environ, PYTHONWARNINGS='ignore', OMP_WAIT_POLICY='passive', GOMP_SPINCOUNT='20000')
        env |= visible_devices(self.device)
        if tool == 'test':
            env |= dict.fromkeys(('OMP_NUM_THREADS', 'MKL_NUM_THREADS'), str(self.threads))
        words = [sys.executable, find_tool(f'{tool}.py'), self.config, *args]
        words += ['--cfg-options', *self.options, *options]
        return Command(words, dict(train='training', test='testing')[tool], self.directory / f'{tool}.log', env)


def run_side_by_side(runs: Sequence[DetectorRun], console: Console) -> list[dict[str, Any]]:
    """Train and test detectors, all at the same time.

    Args:
        runs (Sequence[DetectorRun]): The detectors. Trainings share the CPU's cores, unless
            ``OMP_NUM_THREADS`` is set.
        console (Console): Console of the progress.

    Returns:
        list[dict]: What ``DetectorRun.__call__`` returns, of each.

    Raises:
        ValueError: A directory holds another run, or a step failed.
    """
    for run in runs:
        run._claim()
        if (run.directory / _RESULT).exists():
            console.rule(f'{run.name}: already done, see {run.directory}')
    steps = [(run, run.steps()) for run in runs if not (run.directory / _RESULT).exists()]
    if steps:
        console.rule(' and '.join(run.name for run, _ in steps))
    taken: list[float | None] = [None] * len(steps)
    while True:
        going, commands = [], []
        for (run, rest), minutes in zip(steps, taken):
            try:
                commands.append(rest.send(minutes))
                going.append((run, rest))
            except StopIteration:  # it was the last one
                pass
        if not commands:
            return [_read_object(run.directory / _RESULT) for run in runs]
        if len(commands) > 1:
            commands = [_beside(command, run.name, len(commands)) for (run, _), command in zip(going, commands)]
        steps, taken = going, run_with_progress(commands, console)


def _beside(command: Command, name: str, num: int) -> Command:
    """Return a command that is named, and whose threads leave room for the others."""
    threads = str(max(1, (os.cpu_count() or 1) // num))
    env = dict.fromkeys(('OMP_NUM_THREADS', 'MKL_NUM_THREADS'), threads) | (command.env or {})
    return replace(command, title=f'{name}: {command.title}', env=env)


def _read_object(path: Path) -> dict[str, Any]:
    """Return the numbers, and other values, by name that a step has written."""
    found = read_json(path)
    kinds = dict.fromkeys((*METRICS, 'ms_per_frame', 'parameters', 'train_minutes', 'minutes'), NUMBER)
    check_entry(found, kinds, (), str(path))
    return found


def read_result(directory: Path) -> dict[str, Any] | None:
    """Return what a run in a directory has measured, None if it is not done.

    Raises:
        ValueError: The file is broken.
    """
    path = directory / _RESULT
    return _read_object(path) if path.exists() else None


def find_vid_metric(cfg: ConfigDict, config: str) -> tuple[str, ConfigDict]:
    """Return the key and the settings of the ``VIDMetric`` of ``test_evaluator``.

    Raises:
        ValueError: There is none.
    """
    single = isinstance(cfg.test_evaluator, dict)
    metrics = [cfg.test_evaluator] if single else list(cfg.test_evaluator)
    kinds = []
    for i, metric in enumerate(metrics):
        kinds.append(type_name(metric))
        if kinds[-1] == 'VIDMetric':
            key = 'test_evaluator' if single else f'test_evaluator.{i}'
            return key, metric
    raise ValueError(f'config {config}: test_evaluator must be a VIDMetric, got {", ".join(kinds)}')


def visible_devices(device: str | None) -> dict[str, str]:
    """Return the environment variables of a process that must use a device.

    Raises:
        ValueError: This machine has no such device.
    """
    if device is None:
        return {}
    if device == 'cpu':
        return dict(CUDA_VISIBLE_DEVICES='-1')
    kind, _, number = device.partition(':')
    if kind != 'cuda' or not (number or '0').isdigit():
        raise ValueError(f'--device must be cpu, cuda or cuda:N, got {device}')
    index, count = int(number or 0), torch.cuda.device_count()
    if index >= count:
        raise ValueError(f'--device {device}: there are {count} CUDA devices')
    visible = os.environ.get('CUDA_VISIBLE_DEVICES')
    name = visible.split(',')[index] if visible else str(index)
    return dict(CUDA_VISIBLE_DEVICES=name)


def _identity(checkpoint: str | None) -> list | None:
    """Return values that tell a checkpoint file from one that replaced it.

    Raises:
        FileNotFoundError: The file does not exist.
    """
    if checkpoint is None or '://' in checkpoint:
        return [checkpoint and (checkpoint if shown_url(checkpoint) == checkpoint else cache_name(checkpoint))]
    try:
        status = os.stat(checkpoint)
    except OSError:
        raise FileNotFoundError(f'checkpoint {checkpoint} does not exist') from None
    return [os.path.abspath(checkpoint), status.st_size, status.st_mtime_ns]
