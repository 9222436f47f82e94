# Copyright (c) mmrdn contributors. All rights reserved.
"""Cross-validation, with a stand-in for training and test; docs/real_videos.md has the real one."""

import json
from pathlib import Path

import pytest

from helpers.configs import DAVIS
from helpers.stand_in import StandIn, detector_config
from helpers.tables import cells
from mmrdn.comparison.fold_comparison import FoldComparison
from mmrdn.fileio.coco_vid import CocoVidFile
from mmrdn.fileio.json_files import read_json, write_json

NUM_VIDEOS, NUM_FRAMES = 4, 5
LOST = 2  # frame of each video whose object has a low score


@pytest.fixture
def arguments(tmp_path):
    """Arguments for two rows and two folds of four videos."""
    data = dict(videos=[], images=[], annotations=[], categories=[dict(id=1, name='cat')])
    for video in range(1, NUM_VIDEOS + 1):
        data['videos'].append(dict(id=video, name=f'v {video}'))
        for frame in range(NUM_FRAMES):
            number = 100 * video + frame
            image = dict(id=number, file_name=f'{video}/{frame}.jpg', width=64, height=48)
            data['images'].append(dict(image, video_id=video, frame_id=frame))
            box = dict(id=number, image_id=number, category_id=1, bbox=[9, 9, 30, 20], instance_id=1)
            data['annotations'].append(dict(box, video_id=video, area=600, iscrowd=0))
    write_json(data, tmp_path / 'all.json')
    configs = [tmp_path / f'{row}_1xb4-800_cats.py' for row in ('single-frame', 'rdn')]
    for config in configs:
        config.write_text(detector_config())
    (tmp_path / 'frames, small').mkdir()  # a name that words of --cfg-options could not have
    return dict(
        configs=[str(config) for config in configs],
        data=[str(tmp_path / 'all.json')],
        images=str(tmp_path / 'frames, small'),
        work_dir=tmp_path / 'work',
        num_folds=2,
        one_class='object',
        linked='rdn',
        linkers=['TubeLinking'],
    )


class LosesAFrame(StandIn):
    """A stand-in whose detector finds the object in each frame, in one of them with a low score."""

    def test(self, run, checkpoint):
        """Write the predictions, their score and the cost."""
        data = CocoVidFile(run.metric.ann_file).data
        scores = {image['id']: 0.2 if image['frame_id'] == LOST else 0.9 for image in data['images']}
        found = [dict(entry, score=scores[entry['image_id']]) for entry in data['annotations']]
        for entry in found:
            del entry['instance_id']
        write_json(dict(data, annotations=found), run.directory / 'val.predictions.json')
        write_json(dict(ms_per_frame=1.0, parameters=9), run.directory / 'cost.json')
        write_json({'vid/mAP50': 0.75, 'vid/mAP50_slow': 0.5}, run.directory / 'test' / '20_1' / '20_1.json')


@pytest.fixture
def stand_in(monkeypatch):
    return LosesAFrame(monkeypatch)


@pytest.mark.slow
def test_all_rows_see_the_same_folds(arguments, stand_in):
    comparison = FoldComparison(**arguments)
    assert comparison.names == ['single-frame', 'rdn']
    assert comparison.run() == []
    assert [call[1] for call in stand_in.calls if call[0] == 'train'] == [
        f'{row}, fold {fold}, seed 0' for fold in (0, 1) for row in ('single-frame', 'rdn')
    ]
    work_dir = arguments['work_dir']
    results = read_json(work_dir / 'folds.json')
    assert sorted(sum(results['videos'].values(), [])) == ['v 1', 'v 2', 'v 3', 'v 4']
    for fold in (0, 1):
        runs = [comparison._fold_run(name, fold, 0) for name in comparison.names]
        train, val = ({r.cfg[f'{part}_dataloader'].dataset.ann_file for r in runs} for part in ('train', 'test'))
        assert train == {str(work_dir / 'data' / f'fold{fold}_train.json')}
        assert val == {r.cfg.test_evaluator.ann_file for r in runs} == {str(work_dir / 'data' / f'fold{fold}_val.json')}
        for r in runs:
            for part in ('train', 'val', 'test'):
                dataset = r.cfg[f'{part}_dataloader'].dataset
                assert dataset.data_prefix.img_path == arguments['images'] and dataset.data_root == ''
            assert r.cfg.train_cfg.val_begin > r.cfg.train_cfg.max_iters
        videos = [{v['name'] for v in read_json(Path(*path))['videos']} for path in (train, val)]
        assert not videos[0] & videos[1] and len(videos[0] | videos[1]) == 4
        assert videos[1] == set(results['videos'][str(fold)])


@pytest.mark.slow
def test_configs_of_davis(arguments):
    """Rows differ in what their names say, and all see the folds."""
    names = [f'rdn/{stem}' for stem in DAVIS]
    comparison = FoldComparison(**dict(arguments, configs=names))
    assert set(comparison.names) == {'single-frame', 'single-frame-3x', 'rdn-basic', 'rdn', 'rdn-selsa'}
    cfgs = {name: comparison._fold_run(name, 1, 0).cfg for name in comparison.names}
    single = cfgs['single-frame']
    for name, cfg in cfgs.items():
        factor = 3 if name == 'single-frame-3x' else 1
        assert cfg.train_cfg.max_iters == factor * single.train_cfg.max_iters == factor * 800
        assert (cfg.optim_wrapper, cfg.param_scheduler) == (single.optim_wrapper, single.param_scheduler)
        assert cfg.model.detector == single.model.detector
        samples = cfg.train_dataloader.dataset
        assert samples.ann_file == str(arguments['work_dir'] / 'data' / 'fold1_train.json')
        # Images that a training has seen: those of an iteration with their supports.
        images = cfg.train_cfg.max_iters * cfg.train_dataloader.batch_size * (1 + samples.ref_img_sampler.num_ref_imgs)
        assert images == (3200 if name == 'single-frame' else 9600)
        assert cfg.default_hooks.checkpoint.interval == 100  # what a killed training loses


@pytest.mark.slow
def test_measurements(arguments, stand_in):
    FoldComparison(**arguments).run()
    runs = {(r['row'], r['fold']): r for r in read_json(arguments['work_dir'] / 'folds.json')['runs']}
    assert {row for row, _ in runs} == {'single-frame', 'rdn', 'rdn + TubeLinking'}
    plain, linked = runs['rdn', 1], runs['rdn + TubeLinking', 1]
    assert (plain['mAP50'], plain['slow'], plain['fast']) == (75.0, 50.0, None)  # what the test said
    # One of the five frames of each video has the score 0.2, found before it and after it.
    assert (plain['found'], plain['flicker']) == (80.0, 20.0)
    # Boxes of a tube share a score: none is lost, and there is no false positive.
    assert (linked['mAP50'], linked['found'], linked['flicker']) == (100.0, 100.0, 0.0)
    text = (arguments['work_dir'] / 'folds.md').read_text()
    assert cells(text, 'over the runs', 'rdn')[-3:] == ['80.0 ± 0.0', '20.0 ± 0.0', '2 of 2']


@pytest.mark.slow
def test_finished_runs_are_not_repeated(arguments, stand_in):
    FoldComparison(**arguments).run()
    before = read_json(arguments['work_dir'] / 'folds.json')
    stand_in.calls.clear()
    assert FoldComparison(**arguments).run() == []
    assert stand_in.calls == []
    assert read_json(arguments['work_dir'] / 'folds.json') == before


@pytest.mark.slow
@pytest.mark.parametrize('tool', ['train', 'test'])
def test_killed_and_started_again(arguments, stand_in, tool):
    stand_in.fail = {(tool, 'rdn, fold 0, seed 0'): KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        FoldComparison(**arguments).run()
    done = read_json(arguments['work_dir'] / 'folds.json')['runs']
    assert [r['row'] for r in done] == ['single-frame']
    stand_in.calls.clear()
    assert FoldComparison(**arguments).run() == []
    # A training continues from its checkpoint; what was finished is not done again.
    assert stand_in.calls[0] == (tool, 'rdn, fold 0, seed 0')
    assert stand_in.resumed == ({'rdn, fold 0, seed 0'} if tool == 'train' else set())
    assert 'single-frame, fold 0, seed 0' not in [name for _, name in stand_in.calls]
    assert len(read_json(arguments['work_dir'] / 'folds.json')['runs']) == 6


@pytest.mark.slow
def test_a_run_that_fails_does_not_stop_the_others(arguments, stand_in):
    stand_in.fail = {('train', 'single-frame, fold 0, seed 0'): ValueError('training ended with status 9')}
    assert FoldComparison(**arguments).run() == ['single-frame, fold 0, seed 0: training ended with status 9']
    assert len(read_json(arguments['work_dir'] / 'folds.json')['runs']) == 5


@pytest.mark.slow
def test_a_part_only(arguments, stand_in):
    comparison = FoldComparison(**arguments, seeds=[3, 4])
    comparison.run(only=['rdn'], folds=[1], seeds=[4])
    assert stand_in.calls == [('train', 'rdn, fold 1, seed 4'), ('test', 'rdn, fold 1, seed 4')]
    text = (arguments['work_dir'] / 'folds.md').read_text()
    assert cells(text, 'over the runs', 'single-frame')[0] == 'not measured yet'
    assert cells(text, 'over the runs', 'rdn + TubeLinking')[-1] == '1 of 4'
    comparison.run(seeds=[3])
    assert len(read_json(arguments['work_dir'] / 'folds.json')['runs']) == 2 + 3 * 2


@pytest.mark.slow
def test_runs_that_another_process_has_are_left_to_it(arguments, stand_in, monkeypatch, capsys):
    take = 'mmrdn.comparison.shared_runs.FileLocks.take'
    monkeypatch.setattr(take, lambda locks, name: name != 'rdn, fold 0, seed 0')
    assert FoldComparison(**arguments).run() == []
    assert ('train', 'rdn, fold 0, seed 0') not in stand_in.calls and len(stand_in.calls) == 6
    assert 'rdn, fold 0, seed 0: another process has it' in capsys.readouterr().out
    monkeypatch.setattr(take, lambda locks, name: False)
    other = dict(arguments, work_dir=arguments['work_dir'].with_name('other'))
    assert FoldComparison(**other).run() == [] and len(stand_in.calls) == 6
    assert (other['work_dir'] / 'folds.md').read_text().count('not measured yet') == 4 * 3


@pytest.mark.slow
def test_linkers_and_thresholds_may_change(arguments, stand_in):
    """Finished trainings stay."""
    FoldComparison(**arguments).run()
    stand_in.calls.clear()
    FoldComparison(**dict(arguments, linkers=['TubeLinking', 'SeqNMS'], score_thr=0.1)).run()
    assert stand_in.calls == []
    runs = read_json(arguments['work_dir'] / 'folds.json')['runs']
    assert sum(r['row'] == 'rdn + SeqNMS' for r in runs) == 2
    assert {(r['found'], r['flicker']) for r in runs if r['row'] == 'rdn'} == {(100.0, 0.0)}


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(configs=['rdn/none']), 'config rdn/none does not exist'),
        (dict(images='/none'), '--images /none: no such directory'),
        (dict(seeds=[1, 1]), '--seeds must differ, got 1 1'),
        (dict(score_thr=2.0), '--score-thr must be from 0 to 1, got 2.0'),
        (dict(linked='fgfa'), "there is no row 'fgfa', expected of single-frame, rdn"),
        (dict(baselines=['fgfa']), "there is no row 'fgfa', expected of single-frame, rdn"),
        (dict(linkers=['None']), 'None'),
        (dict(device='gpu'), '--device must be cpu, cuda or cuda:N, got gpu'),
    ],
)
def test_bad_arguments(arguments, change, message):
    with pytest.raises((ValueError, FileNotFoundError)) as error:
        FoldComparison(**dict(arguments, **change))
    assert message in str(error.value) and '\n' not in str(error.value)
    assert not arguments['work_dir'].exists()


@pytest.mark.parametrize(
    'part, message',
    [
        (dict(only=['fgfa']), "there is no row 'fgfa', expected of single-frame, rdn"),
        (dict(folds=[2]), '--fold must be one of 0, 1, got 2'),
        (dict(seeds=[9]), '--seed must be one of 0, got 9'),
    ],
)
def test_bad_parts(arguments, part, message):
    with pytest.raises(ValueError) as error:
        FoldComparison(**arguments).run(**part)
    assert str(error.value) == message and not arguments['work_dir'].exists()


def test_other_data_in_the_directory(arguments, stand_in):
    FoldComparison(**arguments).run(only=['rdn'], folds=[0])
    before = (arguments['work_dir'] / 'data' / 'fold0_val.json').read_bytes()
    data = json.loads(Path(arguments['data'][0]).read_text())
    data['annotations'][0]['bbox'] = [1, 1, 5, 5]
    write_json(data, arguments['data'][0])
    for change in ({}, dict(num_folds=3)):
        with pytest.raises(ValueError, match='is of other data, or of other folds; choose another --work-dir'):
            FoldComparison(**dict(arguments, **change)).run()
    assert (arguments['work_dir'] / 'data' / 'fold0_val.json').read_bytes() == before


@pytest.mark.parametrize(
    'old, new, message',
    [
        ("type='VIDMetric'", "type='VIDMetric', iou_thr=0.7", 'iou_thr of single-frame, fold 0, seed 0 is 0.5'),
        ("'val.json')", "'val.json', metainfo=dict(classes=('cow',)))", "fold0_val.json has no category 'cow'"),
        ("model = dict(type='RDN', temporal_range=18)", '', 'has no "model"'),
    ],
)
def test_configs_that_cannot_be_compared(arguments, stand_in, old, new, message):
    """The second one: the first is not trained either."""
    text = Path(arguments['configs'][1]).read_text()
    changed = text.replace(old, new)
    assert changed != text
    Path(arguments['configs'][1]).write_text(changed)
    with pytest.raises(ValueError) as error:
        FoldComparison(**arguments).run()
    assert message in str(error.value) and '\n' not in str(error.value) and stand_in.calls == []


def test_a_broken_record(arguments, stand_in):
    FoldComparison(**arguments).run(folds=[0])
    path = next(arguments['work_dir'].rglob('record.json'))
    path.write_text('{"score_thr": 0.5, "rows": {"": {"mAP50": "high"}}}')
    with pytest.raises(ValueError, match=r"record.json: rows\[''\]: 'mAP50' must be a finite number, got 'high'"):
        FoldComparison(**arguments)._write_results()
