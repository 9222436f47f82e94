# Copyright (c) mmrdn contributors. All rights reserved.
"""``mim train`` and ``mim test``, and configs to run by them."""

import json
import subprocess
from pathlib import Path
from unittest import mock

from mim.commands.test import test as mim_test
from mim.commands.train import train as mim_train

from helpers.tools import ROOT, call_tool

# Any config on moving digits: two steps of two images, one short video.
SHORT = """
_base_ = '{config}'
data_root = '{data}/'
train_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(data_root=data_root))
if _base_.train_dataloader.batch_size > 2:
    train_dataloader['batch_size'] = 2
test_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(data_root=data_root, ann_file='annotations/one_video.json'))
test_evaluator = dict(
    ann_file=data_root + 'annotations/one_video.json',
    outfile_prefix='{out}/one',
    iou_thr=0.05)  # so that a detector of two steps finds something
val_cfg = val_dataloader = val_evaluator = None
train_cfg = dict(max_iters=2, val_interval=1000)
param_scheduler = None
randomness = dict(seed=1)  # with it all of them find something
optim_wrapper = dict(optimizer=dict(lr=1e-5, weight_decay=0.))
default_hooks = dict(
    logger=dict(interval=1), checkpoint=dict(interval=1))
"""


def first_video(data):
    """Write the ground truth of the first validation video alone."""
    folder = Path(data) / 'annotations'
    coco = json.loads((folder / 'moving_digits_val.json').read_text())
    coco['videos'] = coco['videos'][:1]
    video = coco['videos'][0]['id']
    coco['images'] = [i for i in coco['images'] if i['video_id'] == video]
    kept = {image['id'] for image in coco['images']}
    coco['annotations'] = [a for a in coco['annotations'] if a['image_id'] in kept]
    (folder / 'one_video.json').write_text(json.dumps(coco))
    return coco


def write_short(config, data, folder):
    """A child of a config that trains two steps and tests one video."""
    path = Path(folder) / Path(config).name
    path.write_text(SHORT.format(config=config, data=data, out=folder))
    return path


def mim(command, config, *args, **kwargs):
    """Run in this process what ``mim`` would run in another.

    Args:
        command (str): 'train' or 'test'.
        config (Path): The config.
        *args: Further arguments of the tool; ``--cfg-options`` last.
        **kwargs: Of mim.

    Returns:
        str: What the tool printed.
    """
    commands = []

    def keep(words, **_):
        commands.append(words)
        return 0

    with (
        mock.patch.object(subprocess, 'check_call', keep),
        mock.patch.object(subprocess, 'check_output', lambda _: b''),
    ):
        done, message = dict(train=mim_train, test=mim_test)[command](
            'mmrdn', str(config), gpus=0, launcher='none', other_args=tuple(map(str, args)), **kwargs
        )
    assert done, message
    ((_, script, *words),) = commands
    assert Path(script).resolve() == ROOT / 'tools' / f'{command}.py'
    # Runs of one process and one second need names of their own.
    name = f'experiment_name={command}_{config.parent.name}_{config.stem}'
    return call_tool(f'{command}.py', *words, *([] if '--cfg-options' in words else ['--cfg-options']), name)
