# Copyright (c) mmrdn contributors. All rights reserved.
"""A stand-in for the trainings and tests of a comparison, and configs for it."""

from functools import partial

from mmrdn.comparison import detector_run
from mmrdn.comparison.detector_run import DetectorRun

CONFIG = """
default_scope = 'mmrdn'
model = dict(type='RDN', temporal_range={})
train_dataloader = dict(dataset=dict(type='VideoDetDataset', data_root='data/', ann_file='train.json'))
val_dataloader = dict(dataset=dict(type='VideoDetDataset', data_root='data/', ann_file='val.json'))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file={!r}, type='VIDMetric')
test_evaluator = val_evaluator
train_cfg = dict(type='IterBasedTrainLoop', max_iters=800)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(optimizer=dict(type='AdamW'))
"""


def detector_config(temporal_range=18, ann_file='data/val.json'):
    """The text of a config with all that a comparison reads."""
    return CONFIG.format(temporal_range, ann_file)


class StandIn:
    """Stands in for ``tools/train.py`` and ``tools/test.py``; :meth:`test` writes what a test measures.

    Attributes:
        calls (list[tuple[str, str]]): Tool and name of each run.
        resumed (set[str]): Names of trainings that found a checkpoint.
        fail (dict): Exception of a call; a training that fails has saved a checkpoint.
    """

    def __init__(self, monkeypatch):
        self.calls, self.resumed, self.fail = [], set(), {}
        monkeypatch.setattr(DetectorRun, '_command', lambda run, *args: partial(self.run, run, *args))
        monkeypatch.setattr(
            detector_run, 'run_with_progress', lambda commands, _: [command() or 1.0 for command in commands]
        )

    def run(self, run, tool, args, options):
        """Train or test."""
        call = (tool, run.name)
        self.calls.append(call)
        if tool == 'train':
            assert args == ['--resume', '--work-dir', str(run.directory)]
            last, checkpoint = run.directory / 'last_checkpoint', run.directory / 'iter_800.pth'
            self.resumed |= {run.name} if last.exists() else set()
            checkpoint.write_text('weights')
            last.write_text(str(checkpoint))
        if call in self.fail:
            raise self.fail.pop(call)
        if tool == 'test':
            assert args[0].endswith('iter_800.pth')
            self.test(run, args[0])

    def test(self, run, checkpoint):
        """Write what the test of a checkpoint measures."""
        raise NotImplementedError
