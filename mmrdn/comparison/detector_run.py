# Copyright (c) mmrdn contributors. All rights reserved.
import argparse
import hashlib
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import ConfigDict, DictAction
from rich.console import Console

from mmrdn.apis.config_files import find_tool, load_config
from mmrdn.comparison.command_progress import run_with_progress
from mmrdn.fileio.download import file_hash
from mmrdn.fileio.json_files import write_json
from mmrdn.utils.machine import machine

METRICS = {'mAP50': 'mAP50', 'slow': 'mAP50_slow', 'medium': 'mAP50_medium', 'fast': 'mAP50_fast'}


class DetectorRun:
    """One detector in a folder of its own, trained and tested by the tools.

    What is finished stays and is not done again: a training that was interrupted goes on from its
    last checkpoint.

    Args:
        name (str): What it is called.
        config (str): Path of its config, with a ``VIDMetric`` in ``test_evaluator``.
        folder (Path): Gets checkpoints, logs, ``val.predictions.json`` and ``result.json``.
        options (Sequence[str]): Words of ``--cfg-options``.
        checkpoint (str, optional): Test this one, a file or an address, instead of training.
        device (str, optional): Such as ``cuda:1`` or ``cpu``.
        threads (int): Of the CPU in the test.
        trust_checkpoint (bool): Unpickle the checkpoint.

    Raises:
        FileNotFoundError: There is no such config or checkpoint.
        ValueError: The config cannot be read or compared.
    """

    def __init__(
        self,
        name: str,
        config: str,
        folder: Path,
        options: Sequence[str] = (),
        checkpoint: str | None = None,
        device: str | None = None,
        threads: int = 1,
        trust_checkpoint: bool = False,
    ) -> None:
        self.name = name
        self.config = config
        self.folder = folder
        self.options = [*options, 'test_dataloader.batch_size=1']
        self.checkpoint = checkpoint
        self.device = device
        self.threads = threads
        self.trust_checkpoint = trust_checkpoint
        needs = ['test_cfg', 'test_dataloader', 'test_evaluator']
        if checkpoint is None:
            needs += ['train_cfg', 'train_dataloader', 'optim_wrapper']
        self.cfg = load_config(config, parse_options(self.options), needs=needs)
        self.metric_key, self.metric = find_vid_metric(self.cfg, config)

    def __call__(self, console: Console) -> dict[str, Any]:
        """Train unless there is a checkpoint, and test.

        Args:
            console (Console): Shows the progress.

        Returns:
            dict: mAP in points, ``None`` where there is no ground truth;
            ``ms_per_frame`` and ``parameters`` as
            :class:`mmrdn.engine.CostHook` measures them; ``train_minutes``,
            ``None`` unless it was trained here without a break.

        Raises:
            ValueError: The folder is of other settings, or a step failed.
        """
        self._claim()
        result = self.folder / 'result.json'
        if result.exists():
            console.rule(f'{self.name}: already done, see {self.folder}')
        else:
            console.rule(self.name)
            checkpoint, minutes = self.checkpoint, None
            if checkpoint is None:
                checkpoint, minutes = self._train(console)
            row = self._test(checkpoint, console)
            write_json(dict(row, train_minutes=minutes, checkpoint=str(checkpoint)), result)
        return json.loads(result.read_text())

    def _claim(self) -> None:
        """Take the folder, or see that it is this run's."""
        claim = self.folder / 'settings.json'
        text = self.cfg.pretty_text
        settings = dict(
            config=hashlib.sha256(text.encode()).hexdigest()[:16],
            checkpoint=_identity(self.checkpoint),
            ground_truth=self._ground_truth(),
            machine={key: value for key, value in machine().items() if key in ('cpu', 'gpu')},
            device=self.device,
            threads=self.threads,
        )
        if claim.exists():
            if json.loads(claim.read_text()) != settings:
                raise ValueError(
                    f'{self.folder} holds a run with other settings (see {claim}); choose another --work-dir'
                )
            return
        if self.folder.exists() and any(self.folder.iterdir()):
            raise ValueError(f'{self.folder} is not empty and holds no run of this kind; choose another --work-dir')
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(settings, claim)

    def _ground_truth(self) -> str | None:
        """Hash of the annotation file, which another run may make anew."""
        path = self.metric.get('ann_file')
        return file_hash(path)[:16] if path else None

    def _train(self, console: Console) -> tuple[str, float | None]:
        """Train; the checkpoint and the minutes."""
        trained = self.folder / 'trained.json'
        note = self.folder / 'last_checkpoint'
        if not trained.exists():
            start, resumed = time.time(), note.exists()
            run_with_progress(
                [
                    sys.executable,
                    find_tool('train.py'),
                    self.config,
                    '--resume',
                    '--work-dir',
                    str(self.folder),
                    '--cfg-options',
                    *self.options,
                ],
                'training',
                self.folder / 'train.log',
                console,
                self._environment(),
            )
            minutes = (time.time() - start) / 60
            write_json(dict(minutes=None if resumed else round(minutes, 2)), trained)
        minutes = json.loads(trained.read_text())['minutes']
        return note.read_text().strip(), minutes

    def _test(self, checkpoint: str, console: Console) -> dict[str, Any]:
        """Test, and read what was measured."""
        prefix, cost = self.folder / 'val', self.folder / 'cost.json'
        Path(f'{prefix}.predictions.json').unlink(missing_ok=True)
        trust = ['--trust-checkpoint'] if self.trust_checkpoint else []
        run_with_progress(
            [
                sys.executable,
                find_tool('test.py'),
                self.config,
                checkpoint,
                *trust,
                '--work-dir',
                str(self.folder / 'test'),
                '--cfg-options',
                *self.options,
                f'{self.metric_key}.outfile_prefix={prefix}',
                'default_hooks.cost.type=mmrdn.CostHook',
                f'default_hooks.cost.out_file={cost}',
            ],
            'testing',
            self.folder / 'test.log',
            console,
            dict(self._environment(), OMP_NUM_THREADS=str(self.threads), MKL_NUM_THREADS=str(self.threads)),
        )
        logs = sorted((self.folder / 'test').glob('2*/2*.json'), key=lambda path: path.stat().st_mtime)
        scalars = json.loads(logs[-1].read_text())
        first = self.metric.get('prefix') or 'vid'
        row = {key: round(100 * scalars.get(f'{first}/{name}', float('nan')), 2) for key, name in METRICS.items()}
        return dict(row, **json.loads(cost.read_text()))

    def _environment(self) -> dict[str, str]:
        # Threads wait awake for a moment only: on a busy machine those that spin keep the others
        # from working.
        return dict(
            os.environ,
            OMP_WAIT_POLICY='passive',
            GOMP_SPINCOUNT='20000',
            PYTHONWARNINGS='ignore',
            **visible_devices(self.device),
        )


def parse_options(words: Sequence[str]) -> dict[str, Any]:
    """What ``--cfg-options`` with these words means.

    Raises:
        ValueError: A word is not ``key=value``.
    """
    for word in words:
        if '=' not in word:
            raise ValueError(f'--cfg-options must be key=value, got {word}')
    parser = argparse.ArgumentParser()
    parser.add_argument('--options', nargs='*', action=DictAction)
    return parser.parse_args(['--options', *words]).options


def find_vid_metric(cfg: ConfigDict, config: str) -> tuple[str, ConfigDict]:
    """The one ``VIDMetric`` of ``test_evaluator``, and its key.

    Raises:
        ValueError: There is none.
    """
    single = isinstance(cfg.test_evaluator, dict)
    metrics = [cfg.test_evaluator] if single else list(cfg.test_evaluator)
    kinds = []
    for i, metric in enumerate(metrics):
        kind = metric.get('type')
        kinds.append(getattr(kind, '__name__', str(kind)).split('.')[-1])
        if kinds[-1] == 'VIDMetric':
            key = 'test_evaluator' if single else f'test_evaluator.{i}'
            return key, metric
    raise ValueError(f'config {config}: test_evaluator must be a VIDMetric, got {", ".join(kinds)}')


def visible_devices(device: str | None) -> dict[str, str]:
    """Environment of a process that must use a device.

    Raises:
        ValueError: The device is none of this machine.
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
    """What tells a checkpoint file from one that replaced it.

    Raises:
        FileNotFoundError: There is no such file.
    """
    if checkpoint is None or '://' in checkpoint:
        return [checkpoint]
    try:
        status = os.stat(checkpoint)
    except OSError:
        raise FileNotFoundError(f'checkpoint {checkpoint} does not exist') from None
    return [os.path.abspath(checkpoint), status.st_size, status.st_mtime_ns]
