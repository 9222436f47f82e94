# Copyright (c) mmrdn contributors. All rights reserved.
"""What does not fit is said before the first iteration, not at the first validation or never."""

import json
from pathlib import Path

import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.runner import TestLoop as MMEngineTestLoop

from helpers.toy import ToyDataset, runner_of, toy_config, toy_runner, validation
from helpers.vid_metric import CLASSES, make_coco
from mmrdn.apis import train
from mmrdn.datasets import SeededSamples
from mmrdn.registry import DATASETS

SEEDED = [dict(type='IterSeedHook')]


def said(runner, monkeypatch):
    """The warnings that a training logs."""
    lines = []
    monkeypatch.setattr(runner.logger, 'warning', lambda text, *args: lines.append(text % args if args else text))
    train(runner)
    return lines


# ------------------------------------------------------------ random numbers


class Noise(ToyDataset):
    """Samples with random numbers added, as transforms add them."""

    def __getitem__(self, index):
        return dict(inputs=super().__getitem__(index)['inputs'] + torch.rand(2))


@DATASETS.register_module()
class SeededNoise(SeededSamples, Noise):
    """The same, from seeded indices."""


DATASETS.register_module(module=Noise)


def epochs(work_dir, sampler='DefaultSampler', dataset='SeededNoise', hooks=SEEDED, **changes):
    """A training of four epochs of three iterations."""
    loader = dict(batch_size=3, num_workers=0, dataset=dict(type=dataset), sampler=dict(type=sampler, shuffle=True))
    return toy_config(
        work_dir,
        train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=4),
        train_dataloader=loader,
        param_scheduler=None,
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=2)),
        custom_hooks=hooks,
        **changes,
    )


def weights_of_both(tmp_path, **changes):
    """Those of an unbroken training, and of one that went on after the second epoch."""
    ends = []
    for name, start in (('whole', None), ('resumed', str(tmp_path / 'whole' / 'epoch_2.pth'))):
        torch.manual_seed(len(ends))  # whatever was drawn before
        cfg = epochs(tmp_path / name, **changes)
        cfg.resume, cfg.load_from = start is not None, start
        runner = runner_of(cfg)
        train(runner)
        assert runner.epoch == 4
        ends.append(runner.model.fc.weight.clone())
    return ends


def test_epochs_that_are_resumed_are_the_same(tmp_path):
    whole, resumed = weights_of_both(tmp_path)
    assert torch.equal(whole, resumed)


@pytest.mark.slow
def test_another_sampler_makes_a_difference_and_is_named(tmp_path, monkeypatch):
    whole, resumed = weights_of_both(tmp_path, sampler='mmengine.DefaultSampler')
    assert not torch.equal(whole, resumed)
    start = 'a training that is resumed will differ from an unbroken one: '
    sampler = 'does not seed samples, mmrdn.SeededInfiniteSampler and mmrdn.DefaultSampler do'
    dataset = 'Noise does not seed its samples, derive it from mmrdn.datasets.SeededSamples'
    hook = 'custom_hooks has no mmrdn.IterSeedHook'
    for i, (changes, expected) in enumerate(
        (
            (dict(), []),
            (dict(sampler='mmengine.DefaultSampler'), [f'{start}DefaultSampler {sampler}']),
            (dict(dataset='Noise', hooks=None), [f'{start}{dataset}; {hook}']),
        )
    ):
        lines = said(runner_of(epochs(tmp_path / str(i), **changes)), monkeypatch)
        assert [line for line in lines if 'seed' in line] == expected


# ------------------------------------------------------------ images of a validation


@pytest.fixture
def videos(tmp_path, monkeypatch):
    """Config of a data set for testing, and its file: by a short path, as MMEngine formats long ones for ages."""
    monkeypatch.chdir(tmp_path)
    return write_videos


def write_videos(name, offset=0):
    coco = make_coco()
    for entries, field in ((coco['images'], 'id'), (coco['annotations'], 'image_id')):
        for entry in entries:
            entry[field] += offset
    path = Path(f'{name}.json')
    path.write_text(json.dumps(coco))
    meta, prefix = dict(classes=CLASSES), dict(img_path=name)
    return dict(
        type='VideoDetDataset', ann_file=str(path), metainfo=meta, data_prefix=prefix, pipeline=[], test_mode=True,
        serialize_data=False,
    )  # fmt: skip


def evaluated(dataset, ann_file, **changes):
    """A training with a validation of this data set, which it never comes to."""
    loader = dict(batch_size=1, num_workers=0, dataset=dataset, sampler=dict(type='VideoSampler'))
    evaluator = dict(type='VIDMetric', ann_file=ann_file)
    changes = dict(validation(), val_dataloader=loader, val_evaluator=evaluator) | changes
    cfg = toy_config('work', **changes)
    cfg.train_cfg.val_begin = 10**6
    return runner_of(cfg)


@pytest.mark.slow
def test_images_of_the_validation_are_those_of_its_file(videos):
    a, b, c = videos('a'), videos('b'), videos('c', offset=100)
    both = dict(type='ConcatDataset', datasets=[a, b])
    files = [a['ann_file'], b['ann_file']]
    one_of_two = (
        f'ann_file of val_evaluator: {files[0]}: 15 of 15 frames are not in the data set, the first is img_id 11; '
        'of a ConcatDataset it must be the list of its files'
    )
    other = f'{c["ann_file"]}: 15 of 15 frames are not in the data set, the first is img_id 111'
    for dataset, ann_file, message in (
        (both, files[0], one_of_two),
        (a, c['ann_file'], f'ann_file of val_evaluator: {other}'),
        (a, files, 'are not in the data set, the first is img_id 0/11'),
        (
            dict(both, datasets=[a, b, c]),
            files,
            '15 of 45 frames of the data set are not in it, the first is img_id 2/',
        ),
    ):
        runner = evaluated(dataset, ann_file)
        with pytest.raises(ValueError) as error:
            train(runner)
        assert message in str(error.value) and runner.iter == 0
    for dataset, ann_file in ((both, files), (a, files[0]), (both, None)):
        runner = evaluated(dataset, ann_file)
        train(runner)
        assert runner.iter == 10


def test_files_in_another_order_are_named(videos, monkeypatch):
    """Both have images of the same ids; only their names tell."""
    a, b = videos('a'), videos('b')
    path = Path('b.json')
    path.write_text(path.read_text().replace('"v1/0.jpg"', '"w1/0.jpg"'))
    both = dict(type='ConcatDataset', datasets=[a, b])
    for files in ([a['ann_file'], b['ann_file']], [b['ann_file'], a['ann_file']]):
        runner = evaluated(both, files)
        lines = []
        with monkeypatch.context() as patch:
            patch.setattr(MMLogger, 'warning', lambda logger, text, *args: lines.append(text))
            train(runner)
        named = [line for line in lines if 'image of the id' in line]
        assert len(named) == (files[0] == b['ann_file'])
    assert named == [
        f'{b["ann_file"]} and {a["ann_file"]}: its image of the id 0/11 is w1/0.jpg, that of the data set is '
        'a/v1/0.jpg: is ann_file that of the data set?'
    ]


def test_images_of_a_test_are_compared_before_its_first_frame(videos, monkeypatch):
    a, c = videos('a'), videos('c', offset=100)
    loader = dict(batch_size=1, num_workers=0, dataset=a, sampler=dict(type='VideoSampler'))
    evaluator = dict(type='VIDMetric', ann_file=c['ann_file'])
    runner = toy_runner('work', test_cfg=dict(), test_dataloader=loader, test_evaluator=evaluator)
    monkeypatch.setattr(MMEngineTestLoop, 'run_iter', lambda *args: pytest.fail('a frame was tested'))
    with pytest.raises(
        ValueError, match='ann_file of test_evaluator: .*c.json: 15 of 15 frames are not in the data set'
    ):
        runner.test()


# ------------------------------------------------------------ metrics by name

PLATEAU = dict(type='ReduceOnPlateauLR', by_epoch=True, rule='greater')


def stopping(monitor, **kwargs):
    return dict(custom_hooks=[dict(type='EarlyStoppingHook', monitor=monitor, rule='greater', **kwargs)])


def saving(*metrics):
    hook = dict(type='CheckpointHook', by_epoch=False, interval=5, save_best=list(metrics), rule='greater')
    return dict(default_hooks=dict(checkpoint=hook))


@pytest.mark.parametrize(
    'changes, option, metric, near',
    [
        (stopping('vid/mAP'), 'EarlyStoppingHook.monitor', 'vid/mAP', 'vid/mAP50, vid/mAP50_slow, vid/mAP50_fast'),
        (stopping('mAP50'), 'EarlyStoppingHook.monitor', 'mAP50', 'vid/mAP50, '),
        (saving('vid/mAP50', 'vid/AP50/cow'), 'CheckpointHook.save_best', 'vid/AP50/cow', 'vid/AP50/owl, '),
        (dict(param_scheduler=[dict(PLATEAU, monitor='loss')]), 'param_scheduler.0.monitor', 'loss', 'vid/'),
        (saving('vid/mAP50_unlinked'), 'CheckpointHook.save_best', 'vid/mAP50_unlinked', 'vid/mAP50'),
    ],
)
def test_metrics_that_validation_does_not_give(changes, option, metric, near, videos):
    a = videos('a')
    runner = evaluated(a, a['ann_file'], **changes)
    with pytest.raises(ValueError) as error:
        train(runner)
    assert str(error.value).startswith(f'{option}: validation gives no metric "{metric}", the nearest are {near}')
    assert runner.iter == 0


@pytest.mark.parametrize(
    'changes, evaluator',
    [
        (stopping('vid/mAP50_fast'), {}),
        (saving('vid/mAP50', 'vid/AP50/cat'), {}),
        (saving('auto'), {}),
        (saving('vid/mAP50_unlinked'), dict(linker=dict(type='SeqNMS'))),
        (stopping('mine/mAP50'), dict(prefix='mine')),
        (stopping('vid/mAP50', patience=None), dict(prefix='mine')),  # off
        (dict(param_scheduler=[dict(PLATEAU, monitor='vid/mAP50')]), {}),
    ],
)
def test_metrics_that_it_gives(changes, evaluator, videos):
    a = videos('a')
    metric = dict(type='VIDMetric', ann_file=a['ann_file'], **evaluator)
    runner = evaluated(a, None, **changes, val_evaluator=metric)
    train(runner)
    assert runner.iter == 10


def test_metrics_of_others_are_not_known(tmp_path):
    """MMEngine warns at the first validation."""
    train_cfg = dict(type='IterBasedTrainLoop', max_iters=10, val_interval=5)
    runner = toy_runner(tmp_path, **validation(), train_cfg=train_cfg, **stopping('toy/other'))
    with pytest.warns(UserWarning, match='do not include `monitor` .toy/other.'):
        train(runner)


def test_metrics_without_a_validation(tmp_path, monkeypatch):
    both = dict(stopping('vid/mAP50'), **saving('vid/mAP50'))
    lines = said(toy_runner(tmp_path, **both), monkeypatch)
    assert 'EarlyStoppingHook.monitor: of no use, as the training has no validation (val_cfg)' in lines


# ------------------------------------------------------------ parts of the model


@pytest.mark.parametrize('option', ['activation_checkpointing', 'efficient_conv_bn_eval'])
def test_parts_that_are_not_there(option, tmp_path):
    for value, message in (
        ('fcc', f'{option}: ToyModel has no part "fcc", the nearest are fc, data_preprocessor'),
        (['fc', 'fc.weight'], f'{option}: ToyModel has no part "fc.weight", the nearest are fc, data_preprocessor'),
        ([None], f'{option}: expected paths such as "detector.backbone", got None'),
    ):
        runner = toy_runner(tmp_path, **{option: value})
        with pytest.raises(ValueError) as error:
            train(runner)
        assert str(error.value) == message


def test_parts_that_are_there(tmp_path, monkeypatch):
    wrapped = []
    name = 'mmengine.runner.runner.turn_on_activation_checkpointing'
    monkeypatch.setattr(name, lambda model, modules: wrapped.extend(modules))
    runner = toy_runner(tmp_path, activation_checkpointing=['fc'])
    train(runner)
    assert runner.iter == 10 and wrapped == ['fc']
