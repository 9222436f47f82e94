# Copyright (c) mmrdn contributors. All rights reserved.
"""Data, a config and runs of the tools small enough for tests."""

import contextlib
import io
import json
import logging
import os
import runpy
import signal
import socket
import subprocess
import sys
from pathlib import Path
from unittest import mock

import torch

from mmrdn.datasets.converters.ilsvrc_vid import convert_vid
from mmrdn.datasets.moving_digits import MovingDigitsConfig, make_moving_digits

ROOT = Path(__file__).resolve().parents[2]

# 8 iterations of a detector of 16 proposals, 4 times narrower; with 16 channels at least, see
# docs/onednn_overrun.md.
CONFIG = """
_base_ = '{root}/configs/rdn/rdn_faster-rcnn_r18_1xb4-1500_movingdigits.py'
data_root = '{data}/'
ann_file = data_root + 'annotations/moving_digits_val.json'
nms = dict(nms_pre=64, max_per_img=16)
model = dict(
    temporal_range=2,
    neck=dict(in_channels=32, num_heads=4),
    support_sampler=dict(num_support=6),
    detector=dict(
        backbone=dict(base_channels=16),
        neck=dict(in_channels=[64], out_channels=16),
        rpn_head=dict(in_channels=16, feat_channels=16),
        roi_head=dict(
            bbox_roi_extractor=dict(
                roi_layer=dict(output_size=3), out_channels=16),
            bbox_head=dict(
                in_channels=16, fc_out_channels=32, roi_feat_size=3)),
        train_cfg=dict(rpn_proposal=nms, rcnn=dict(sampler=dict(num=16))),
        test_cfg=dict(rpn=nms)))
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(data_root=data_root, ref_img_sampler=dict(frame_range=2)))
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(data_root=data_root))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=ann_file)
test_evaluator = val_evaluator
train_cfg = dict(max_iters=8, val_interval=1000)
param_scheduler = [
    dict(
        type='OneCycleLR',
        eta_max=1e-2,
        pct_start=0.5,
        by_epoch=False)
]
default_hooks = dict(
    logger=dict(interval=1), checkpoint=dict(interval=4))
"""


def make_data(folder):
    """6 training videos of 3 frames, 4 validation videos of 5 frames."""
    folder = Path(folder)
    make_moving_digits(
        folder, MovingDigitsConfig(num_train_videos=6, train_frames=3, num_val_videos=4, val_frames=5), progress=False
    )
    for split in ('train', 'val'):
        convert_vid(folder, split, folder / 'annotations' / f'moving_digits_{split}.json', classes='moving_digits')
    return folder


def write_config(path, data, extra=''):
    """Write the tiny config and give its path."""
    path = Path(path)
    path.write_text(CONFIG.format(root=ROOT, data=data) + extra)
    return path


def tool_env():
    """Environment to run a tool in: our package, no GPU.

    The number of threads is said: launchers of several processes choose one otherwise, and the last
    digits of a convolution depend on it.
    """
    paths = [str(ROOT), os.environ.get('PYTHONPATH', '')]
    return dict(
        os.environ,
        PYTHONPATH=os.pathsep.join(filter(None, paths)),
        OMP_WAIT_POLICY='passive',
        OMP_NUM_THREADS=os.environ.get('OMP_NUM_THREADS', str(torch.get_num_threads())),
        CUDA_VISIBLE_DEVICES='-1',
    )


def free_port():
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def _heed_signals():
    """Let signals end what is started: tests in background or under nohup ignore some."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def run_tool(tool, *args, status=0, through=(), timeout=300):
    """Run a tool as a user would, ``through`` a launcher if given."""
    command = [sys.executable, *through, ROOT / 'tools' / tool, *args]
    done = subprocess.run(
        [str(word) for word in command],
        env=tool_env(),
        capture_output=True,
        text=True,
        timeout=timeout,
        preexec_fn=_heed_signals,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done


def call_tool(tool, *args, status=0):
    """Run a tool in this process, which has imported everything: stdout."""
    path, out, err = str(ROOT / 'tools' / tool), io.StringIO(), io.StringIO()
    found = 0
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(sys, 'argv', [path, *map(str, args)]),
        run_alone(),
    ):
        try:
            runpy.run_path(path, run_name='__main__')
        except SystemExit as exit_:
            found = exit_.code or 0
    assert found == status, out.getvalue() + err.getvalue()
    return out.getvalue()


@contextlib.contextmanager
def run_alone():
    """Let a tool in this process be as in one of its own."""
    from mmengine.logging import MessageHub, MMLogger
    from mmengine.visualization import Visualizer

    visualizers = [Visualizer]
    for kind in visualizers:  # which grows
        visualizers += kind.__subclasses__()
    # MMEngine finds by name what an earlier run has made, which would log into that run's directory.
    for kind in visualizers:
        kind._instance_dict.clear()
    kinds = (MMLogger, MessageHub, *visualizers)
    before = [dict(kind._instance_dict) for kind in kinds]
    try:
        # Loggers of earlier runs still write to streams that are closed.
        with mock.patch.object(logging, 'raiseExceptions', False):
            yield
    finally:
        for kind, instances in zip(kinds, before):
            kind._instance_dict.clear()
            kind._instance_dict.update(instances)


def start_tool(tool, *args, **kwargs):
    """Start a tool that signals can end."""
    command = [sys.executable, ROOT / 'tools' / tool, *args]
    return subprocess.Popen(
        [str(word) for word in command],
        env=tool_env(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_heed_signals,
        **kwargs,
    )


def logged_steps(work_dir):
    """The training steps in the newest JSON log below a work folder."""
    logs = sorted(Path(work_dir).glob('2*/vis_data/scalars.json'), key=lambda path: path.parent.parent.name)
    lines = map(json.loads, logs[-1].read_text().splitlines())
    return [line for line in lines if 'loss' in line]


def logged_losses(work_dir):
    """The loss of these steps."""
    return [step['loss'] for step in logged_steps(work_dir)]
