# Copyright (c) mmrdn contributors. All rights reserved.
"""What takes a checkpoint: the commands, in this process or each in its own, and the library."""

import contextlib
import io
import itertools
import logging
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import torch
from mmdet.apis import DetInferencer
from mmengine.runner import CheckpointLoader

from helpers.tools import ROOT, tool_env
from helpers.videos import noise, write_mp4
from mmrdn.apis import VideoInferencer
from mmrdn.model_zoo.metafile_entry import make_entry
from mmrdn.visualization.vid_visualizer import VIDVisualizer


class End(NamedTuple):
    """How a command ended."""

    status: int | str  # exit status, "trace" for a stack trace
    out: str
    err: str

    def is_line(self, name):
        """Whether it ended by one line that names a file."""
        errors = [line for line in self.err.splitlines() if line.startswith('error: ')]
        return self.status == 1 and len(errors) == 1 and name in errors[0]


def run_here(tool, *args):
    """Run a command in this process."""
    path, out, err = str(ROOT / 'tools' / tool), io.StringIO(), io.StringIO()
    VIDVisualizer._instance_dict.clear()  # it would log into an earlier run's directory
    status, argv = 0, sys.argv
    raising, logging.raiseExceptions = logging.raiseExceptions, False  # loggers of earlier runs
    sys.argv = [path, *map(str, args)]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            runpy.run_path(path, run_name='__main__')
    except SystemExit as exit_:
        status = exit_.code or 0
    except Exception as error:
        status = 'trace'
        err.write(f'\n{type(error).__name__}: {error}')
    finally:
        sys.argv, logging.raiseExceptions = argv, raising
    return End(status, out.getvalue(), err.getvalue())


def run_apart(tool, *args):
    """Run a command in a process of its own; a signal that ended it is a negative status."""
    command = [sys.executable, str(ROOT / 'tools' / tool), *map(str, args)]
    done = subprocess.run(command, env=tool_env(), capture_output=True, text=True, timeout=600)
    return End('trace' if 'Traceback' in done.stderr else done.returncode, done.stdout, done.stderr)


class Targets:
    """Commands and functions that read a checkpoint.

    Args:
        config (Path): Config of a tiny RDN.
        directory (Path): Where they may write.
        run (callable): :func:`run_here` or :func:`run_apart`.
    """

    # The quick ones first: they look at the file before they build anything.
    COMMANDS = (
        'publish', 'convert_detector', 'convert_mega', 'test', 'resume', 'resume_newest', 'start_from',
        'resume_flexibly', 'detect', 'compare_memory', 'compare',
    )  # fmt: skip
    FUNCTIONS = ('mmengine', 'inferencer', 'video_inferencer', 'metafile')

    def __init__(self, config, directory, run=run_here):
        self.config, self.directory, self.run = Path(config), Path(directory), run
        self._count = itertools.count()
        self.clip = write_mp4(self.directory / 'clip.mp4', noise(3))

    def __call__(self, name, path):
        """Let a target read a file."""
        return getattr(self, f'_{name}')(Path(path))

    def _work_dir(self):
        work_dir = self.directory / f'work_{next(self._count)}'
        shutil.rmtree(work_dir, ignore_errors=True)
        work_dir.mkdir()
        return work_dir

    def _runner_options(self, work_dir, *more):
        options = [f'experiment_name={self.directory.name}_{work_dir.name}', *more]
        return ['--work-dir', work_dir, '--cfg-options', *options]

    def _training_options(self, work_dir):
        """Validations after the next iteration and at the end, with scores that are the best."""
        hook = 'default_hooks.checkpoint'
        return self._runner_options(
            work_dir, 'train_cfg.val_interval=5', f'{hook}.interval=1',
            f'{hook}.max_keep_ckpts=1', f'{hook}.save_best=vid/mAP50', f'{hook}.rule=greater',
        )  # fmt: skip

    def _test(self, path):
        work_dir = self._work_dir()
        options = self._runner_options(work_dir, f'test_evaluator.outfile_prefix={work_dir}/out')
        return self.run('test.py', self.config, path, *options)

    def _resume(self, path):
        return self.run('train.py', self.config, '--resume', path, *self._training_options(self._work_dir()))

    def _resume_newest(self, path):
        work_dir = self._work_dir()
        shutil.copy(path, work_dir / path.name)
        (work_dir / 'last_checkpoint').write_text(str(work_dir / path.name))
        return self.run('train.py', self.config, '--resume', *self._training_options(work_dir))

    def _resume_flexibly(self, path):
        options = [*self._training_options(self._work_dir()), 'runner_type=FlexibleRunner']
        return self.run('train.py', self.config, '--resume', path, *options)

    def _start_from(self, path):
        options = [*self._training_options(self._work_dir()), f'load_from={path}', 'train_cfg.max_iters=1']
        return self.run('train.py', self.config, *options)

    def _publish(self, path):
        return self.run('model_converters/publish_model.py', path, f'{self._work_dir()}/')

    def _convert_detector(self, path):
        out = self._work_dir() / 'out.pth'
        return self.run('model_converters/detector_to_mmrdn.py', path, out, '--config', self.config)

    def _convert_mega(self, path):
        return self.run('model_converters/mega_to_mmrdn.py', path, self._work_dir() / 'out.pth')

    def _detect(self, path):
        out = self._work_dir() / 'out.jsonl'
        return self.run('demo_video.py', self.clip, self.config, path, '--out-json', out, '--quiet')

    def _compare_memory(self, path):
        options = self._runner_options(self._work_dir())
        return self.run('analysis_tools/compare_memory.py', self.config, path, *options)

    def _compare(self, path):
        work_dir = self._work_dir()
        return self.run('analysis_tools/compare.py', self.config, '--checkpoints', path, '--work-dir', work_dir)

    def _called(self, function):
        try:
            function()
        except Exception as error:
            return End(1, '', f'error: {type(error).__name__}: {error}')
        return End(0, '', '')

    def _mmengine(self, path):
        return self._called(lambda: CheckpointLoader.load_checkpoint(str(path), 'cpu'))

    def _inferencer(self, path):
        return self._called(lambda: DetInferencer(weights=str(path), device='cpu'))

    def _video_inferencer(self, path):
        return self._called(lambda: VideoInferencer(str(self.config), str(path), 'cpu'))

    def _metafile(self, path):
        config = ROOT / 'configs/rdn/rdn_faster-rcnn_r18_1xb4-1500_movingdigits.py'
        return self._called(lambda: make_entry(str(config), str(path)))


def read_base(checkpoint):
    """The content of a checkpoint that a training of ours has just written."""
    return torch.load(checkpoint, map_location='cpu', weights_only=False)
