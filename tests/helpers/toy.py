# Copyright (c) mmrdn contributors. All rights reserved.
"""A training of milliseconds: a linear model, eight samples, a score that never improves."""

import os

import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from torch import nn
from torch.utils.data import Dataset

from mmrdn.apis import build_runner
from mmrdn.registry import DATASETS, METRICS, MODELS
from mmrdn.visualization.vid_visualizer import VIDVisualizer


@MODELS.register_module()
class ToyModel(BaseModel):
    """A linear layer that learns to give zero."""

    def __init__(self, data_preprocessor=None):
        super().__init__()
        self.fc = nn.Linear(2, 1)

    def init_weights(self):
        """Start from ones."""
        nn.init.ones_(self.fc.weight)
        nn.init.zeros_(self.fc.bias)

    def forward(self, inputs, mode='tensor'):
        """Give a loss, or a result for each sample."""
        values = self.fc(torch.stack(list(inputs)))
        return dict(loss=values.square().mean()) if mode == 'loss' else list(values)


@DATASETS.register_module()
class ToyDataset(Dataset):
    """Samples (i, 1); ``bad`` cannot be read."""

    metainfo = dict(classes=('a',))

    def __init__(self, bad=None, length=8):
        self.bad, self.length = bad, length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        if index == self.bad:
            raise OSError(f'sample {index} cannot be read')
        return dict(inputs=torch.tensor([index / 8, 1.0]))


@METRICS.register_module()
class ToyMetric(BaseMetric):
    """Always 0.5, or these scores, one after the other."""

    default_prefix = 'toy'

    def __init__(self, scores=(), **kwargs):
        super().__init__(**kwargs)
        self.scores = list(scores)

    def process(self, data_batch, data_samples):
        """Count a batch."""
        self.results.append(len(data_samples))

    def compute_metrics(self, results):
        """Give the score."""
        return dict(acc=self.scores.pop(0) if self.scores else 0.5)


def toy_config(work_dir, max_iters=10, **changes):
    """A config of that many iterations of two samples; ``changes`` replace its keys."""
    loader = dict(batch_size=2, num_workers=0, dataset=dict(type='ToyDataset'))
    cfg = dict(
        default_scope='mmrdn',
        launcher='none',
        work_dir=str(work_dir),
        experiment_name=f'toy_{os.urandom(6).hex()}',
        model=dict(type='ToyModel'),
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=10**6),
        train_dataloader=dict(loader, sampler=dict(type='SeededInfiniteSampler')),
        optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1, momentum=0.9)),
        param_scheduler=[dict(type='OneCycleLR', eta_max=0.1, by_epoch=False)],
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=10000),
            logger=dict(type='LoggerHook', interval=1),
        ),
        log_processor=dict(by_epoch=False),
        visualizer=dict(type='VIDVisualizer', vis_backends=[dict(type='LocalVisBackend')], name='visualizer'),
        log_level='ERROR',
        randomness=dict(seed=0),
    )
    return Config({key: value for key, value in (cfg | changes).items() if value is not None})


def validation():
    """Changes that make a toy config validate."""
    loader = dict(batch_size=1, num_workers=0, dataset=dict(type='ToyDataset'), sampler=dict(type='DefaultSampler'))
    return dict(val_cfg=dict(), val_dataloader=loader, val_evaluator=dict(type='ToyMetric'))


def runner_of(cfg, **settings):
    """The runner of a config; ``settings`` are those of ``build_runner``."""
    VIDVisualizer._instance_dict.clear()  # one of an earlier runner logs into that one's directory
    return build_runner(cfg, **settings)


def toy_runner(work_dir, *args, **changes):
    """The runner of :func:`toy_config`."""
    return runner_of(toy_config(work_dir, *args, **changes))
