# Copyright (c) mmrdn contributors. All rights reserved.
"""Parts of the comparison; tests/test_tools/test_compare.py runs it."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.config import Config

from mmrdn.comparison.detector_comparison import check_same_data, unique_names
from mmrdn.comparison.detector_run import find_vid_metric, visible_devices
from mmrdn.comparison.report import check_out, plot_comparison, short_names
from mmrdn.visualization.plot_colors import COLORS

MACHINE = dict(cpu='Abacus', threads=2)


def test_names():
    configs = ['a/rdn_x.py', 'b/rdn_x.py', 'rdn/rdn_y', 'c/rdn_x.py']
    assert unique_names(configs) == ['rdn_x', 'rdn_x-2', 'rdn_y', 'rdn_x-3']


@pytest.mark.parametrize(
    'names, expected',
    [
        (['rdn_rcnn_r18_digits', 'single-frame_rcnn_r18_digits'], ['rdn', 'single-frame']),
        (['rdn_rcnn_r18_digits', 'rdn_rcnn_r50_digits', 'selsa_rcnn_r50_digits'], ['rdn r18', 'rdn r50', 'selsa r50']),
        (['rdn_rcnn_1xb4-1500_x', 'fgfa_rcnn_1xb1-6000_x'], ['rdn', 'fgfa']),
        (['rdn_rcnn_1xb4-1500_x', 'rdn_rcnn_1xb1-6000_x'], ['1xb4-1500', '1xb1-6000']),
        (['rdn', 'rdn_big'], ['rdn', 'rdn_big']),
        (['rdn_rcnn_r18_digits'], ['rdn_rcnn_r18_digits']),
    ],
)
def test_short_names(names, expected):
    assert short_names(names) == expected


def config(ann_file='ann/val.json', root='data/', images='frames', **metric):
    return Config(
        dict(
            test_dataloader=dict(
                dataset=dict(
                    type='VideoDetDataset', data_root=root, ann_file=ann_file, data_prefix=dict(img_path=images)
                )
            ),
            test_evaluator=dict(type='VIDMetric', **metric),
        )
    )


def check(*configs):
    return check_same_data(
        [SimpleNamespace(name=name, cfg=cfg, metric=cfg.test_evaluator) for name, cfg in zip('abc', configs)]
    )


def test_the_same_data():
    same = config(ann_file='val.json', root='data/x/../ann/')
    same.test_dataloader.dataset.data_prefix.img_path = '../frames'
    truth = config(ann_file='ann/val.json')
    truth.test_evaluator.ann_file = './data/ann/val.json'
    assert check(config(), same, truth) == 'data/ann/val.json'


def test_defaults_of_the_metric():
    ranges = dict(fast=(0, 0.7), medium=(0.7, 0.9), slow=(0.9, 1.0))
    check(config(), config(iou_thr=0.5, motion_ranges=ranges))


def test_data_without_one_annotation_file():
    cfg = config()
    cfg.test_dataloader.dataset = dict(type='ConcatDataset', datasets=[cfg.test_dataloader.dataset])
    with pytest.raises(ValueError) as error:
        check(config(), cfg)
    assert str(error.value) == ('b: test_dataloader.dataset must have one ann_file, got a ConcatDataset without')


def test_the_same_file_by_two_names(tmp_path):
    (tmp_path / 'one.json').write_text('{}')
    (tmp_path / 'two.json').symlink_to(tmp_path / 'one.json')
    one, two = (config(ann_file=str(tmp_path / f'{name}.json')) for name in ('one', 'two'))
    assert check(one, two) == str(tmp_path / 'one.json')


@pytest.mark.parametrize(
    'other, message',
    [
        (config('ann/test.json'), 'data: the test data of a is data/ann/val.json, that of c is data/ann/test.json'),
        (config(images='blurred'), 'data: the images of a is data/frames, that of c is data/blurred'),
        (
            Config(dict(config(), test_evaluator=dict(type='VIDMetric', ann_file='gt.json'))),
            'data: the ground truth of a is data/ann/val.json, that of c is gt.json',
        ),
        (config(iou_thr=0.7), 'by the same metric: iou_thr of a is 0.5, that of c is 0.7'),
    ],
)
def test_other_data(other, message):
    with pytest.raises(ValueError) as error:
        check(config(), config(), other)
    assert str(error.value).startswith('detectors must be compared ')
    assert str(error.value).endswith(message)


@pytest.mark.parametrize(
    'evaluator, key',
    [
        (dict(type='VIDMetric', iou_thr=0.1), 'test_evaluator'),
        (dict(type='mmrdn.VIDMetric'), 'test_evaluator'),
        ([dict(type='CocoVideoMetric'), dict(type='VIDMetric')], 'test_evaluator.1'),
    ],
)
def test_the_metric_is_found(evaluator, key):
    found, metric = find_vid_metric(Config(dict(test_evaluator=evaluator)), '')
    assert found == key and metric.type.endswith('VIDMetric')


def test_another_metric():
    cfg = Config(dict(test_evaluator=dict(type='CocoVideoMetric')))
    with pytest.raises(ValueError) as error:
        find_vid_metric(cfg, 'c.py')
    assert str(error.value) == ('config c.py: test_evaluator must be a VIDMetric, got CocoVideoMetric')


def test_devices(monkeypatch):
    monkeypatch.setattr('torch.cuda.device_count', lambda: 3)
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    assert visible_devices(None) == {}
    assert visible_devices('cpu') == dict(CUDA_VISIBLE_DEVICES='-1')
    assert visible_devices('cuda') == dict(CUDA_VISIBLE_DEVICES='0')
    assert visible_devices('cuda:2') == dict(CUDA_VISIBLE_DEVICES='2')
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '5,7,GPU-8')
    assert visible_devices('cuda:1') == dict(CUDA_VISIBLE_DEVICES='7')
    for device, message in (('cuda:3', 'there are 3 CUDA devices'), ('gpu', 'must be cpu, cuda or cuda:N, got gpu')):
        with pytest.raises(ValueError, match=message):
            visible_devices(device)


def test_results_are_not_lost(tmp_path):
    prefix = tmp_path / 'digits.v1'
    check_out(prefix, 'work', ['a', 'b'])  # nothing is there
    path = tmp_path / 'digits.v1.json'
    content = dict(work_dir=str(tmp_path / 'work'), rows=[dict(name='a'), dict(name='c')])
    path.write_text(json.dumps(content))
    check_out(prefix, tmp_path / 'work', ['c', 'b', 'a'])
    for work_dir, names, message in (
        (tmp_path / 'work', ['a', 'b'], 'holds results of c too'),
        (tmp_path / 'w', ['a', 'c'], f'holds results of {tmp_path}/work'),
    ):
        with pytest.raises(ValueError) as error:
            check_out(prefix, work_dir, names)
        assert str(error.value) == f'{path} {message}; choose another --out'
    path.write_text('{}')
    with pytest.raises(ValueError, match='holds no comparison'):
        check_out(prefix, tmp_path / 'work', ['a'])
    path.unlink()
    (tmp_path / 'digits.v1.png').write_text('')
    with pytest.raises(ValueError, match='digits.v1.png exists; choose'):
        check_out(prefix, tmp_path / 'work', ['a'])


# The plot.


def drawn(points, labels):
    rows = [dict(ms_per_frame=x, mAP50=y, machine=MACHINE) for x, y in points]
    return plot_comparison(rows, labels, 'digits, seed 0')


def markers(figure):
    """Points of the plot."""
    (axes,) = figure.axes
    return list(axes.lines)


def names(figure):
    """Names beside the plot, in the order of its points."""
    return [text for legend in figure.legends for text in legend.get_texts()]


def test_points_and_axes():
    points = [(24.0, 55.5), (25.0, 70.5), (80.0, 66.0)]
    figure = drawn(points, ['single', 'RDN', 'FGFA'])
    (axes,) = figure.axes
    assert [tuple(line.get_xydata()[0]) for line in markers(figure)] == points
    assert [text.get_text() for text in names(figure)] == ['single', 'RDN', 'FGFA']
    assert axes.get_xlabel() == 'time a frame (ms), Abacus, 2 threads'
    assert axes.get_ylabel() == 'mAP50 (%)'
    assert axes.get_title() == 'digits, seed 0'
    assert len({line.get_color() for line in markers(figure)}) == 3
    assert len({line.get_marker() for line in markers(figure)}) == 3


def test_rows_without_result_are_left_out():
    rows = [
        dict(error='no such config'),
        dict(ms_per_frame=2.0, mAP50=30.0, machine=dict(gpu='H', threads=1)),
        dict(ms_per_frame=2.0, mAP50=None, machine=MACHINE),
    ]
    figure = plot_comparison(rows, ['a', 'b', 'c'], '')
    (line,) = markers(figure)
    assert line.get_xydata().tolist() == [[2.0, 30.0]]
    assert [text.get_text() for text in names(figure)] == ['b']
    assert figure.axes[0].get_xlabel() == 'time a frame (ms), H'
    assert not markers(plot_comparison(rows[:1], ['a'], ''))


@pytest.mark.slow
@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize('spread', [1e-3, 0.05, 1.0])
def test_names_cover_nothing(seed, spread, tmp_path):
    """Seven detectors, alike or not: pixel rectangles as they are saved; each name has its point's marker."""
    rng = np.random.default_rng(seed)
    points = [(30 + 20 * spread * x, 60 + 20 * spread * y) for x, y in rng.normal(size=(7, 2))]
    labels = ['a detector', 'RDN', 'single frame', 'SELSA seqnms', 'b', 'FGFA', 'Temporal RoI Align']
    figure = drawn(points, labels)
    figure.savefig(tmp_path / 'plot.png')
    (axes,) = figure.axes
    boxes = [text.get_window_extent() for text in names(figure)]
    assert len(boxes) == len(labels)
    dots = axes.transData.transform(points)
    assert all(axes.get_window_extent().contains(*dot) for dot in dots)
    for i, box in enumerate(boxes):
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1
        for other in boxes[:i]:
            assert not box.overlaps(other), (labels[i], seed)
        for x, y in dots:
            assert not box.contains(x, y)
    keys = [(handle.get_marker(), handle.get_color()) for handle in figure.legends[0].legend_handles]
    assert keys == [(line.get_marker(), line.get_color()) for line in markers(figure)]


def seen_by(matrix, color):
    """Linear red, green and blue that look the same to someone."""
    rgb = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = np.array([c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb])
    return np.clip(np.array(matrix) @ linear, 0, 1)


@pytest.mark.parametrize(
    'matrix',
    [
        [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
        [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
    ],
)
def test_colors_are_told_apart(matrix):
    """Also as protans and deutans see them (Vienot et al. 1999)."""
    seen = [seen_by(matrix, color) for color in COLORS]
    for i, one in enumerate(seen):
        for other in seen[:i]:
            assert np.abs(one - other).max() > 0.05
