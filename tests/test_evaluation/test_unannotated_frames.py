# Copyright (c) mmrdn contributors. All rights reserved.
"""Frames that nobody annotated, in the metric and in the tools that read annotations."""

import copy
import json

import cv2
import numpy as np
import pytest

from helpers.sparse_videos import every, one_video, tell
from helpers.vid_metric import make_coco, make_samples, run, write
from mmrdn.comparison.highlights import count_right
from mmrdn.comparison.prediction_comparison import draw_panels, load_results
from mmrdn.evaluation import VIDMetric, evaluate_predictions, link_predictions
from mmrdn.fileio.coco_vid import CocoVidFile
from mmrdn.post_processing import SeqNMS
from mmrdn.structures import FrameAnnotations
from mmrdn.visualization import FrameDrawer, titled_panels


@pytest.mark.parametrize('from_file', [True, False])
def test_by_hand(from_file, tmp_path, logged):
    """Two false alarms before two hits: precision 2/4 at any recall. Without them 1."""
    coco, samples = one_video()
    for flag, expected in ((False, 0.5), (True, 1.0)):
        sparse = every(2, coco, flag)
        ann_file = write(tmp_path / 'a.json', sparse) if from_file else None
        metric = run(tell(samples, sparse), classes=('cat',), ann_file=ann_file)
        assert metric['vid/mAP50'] == expected
    said = [line for line in logged if 'is_annotated' in line]
    name = str(tmp_path / 'a.json') if from_file else 'the samples'
    assert said[0].startswith(f'WARNING: {name}: 2 of 4 frames have no box') and '\n' not in said[0]
    assert said[1] == f'WARNING: {name}: 2 of 4 frames have "is_annotated": false and are left out'
    assert len(said) == 2


@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize('from_file', [True, False])
def test_equals_a_file_of_the_other_frames(seed, from_file, tmp_path):
    """Motion groups too: of frames without ground truth none but the annotated weigh anything."""
    coco = make_coco(seed, lengths=(12, 7, 9))
    coco['annotations'] = [entry for entry in coco['annotations'] if entry['image_id'] % 5]  # some are empty indeed
    samples = make_samples(coco, seed)
    sparse = every(3, coco)
    known = {image['id'] for image in coco['images'] if image['frame_id'] % 3 == 0}
    rest = dict(sparse, images=[image for image in sparse['images'] if image['id'] in known])
    expected = run([sample for sample in samples if sample.img_id in known], ann_file=write(tmp_path / 'r.json', rest))
    ann_file = write(tmp_path / 'a.json', sparse) if from_file else None
    np.testing.assert_equal(run(tell(samples, sparse), ann_file=ann_file), expected)
    assert 0 < expected['vid/mAP50'] < 1


def test_boxes_of_such_frames_count_neither(tmp_path):
    coco, samples = one_video()
    flagged = copy.deepcopy(coco)
    for image in flagged['images'][1::2]:
        image['is_annotated'] = False
    for entry in flagged['annotations'][1::2]:
        entry['bbox'] = [0, 0, 5, 5]  # would be missed, and move
    metrics = run(samples, classes=('cat',), ann_file=write(tmp_path / 'a.json', flagged))
    assert metrics['vid/mAP50'] == metrics['vid/mAP50_slow'] == 1


def test_said_once_and_refused_if_all(tmp_path, logged):
    coco, samples = one_video()
    metric = VIDMetric(ann_file=write(tmp_path / 'a.json', every(2, coco)))
    for _ in range(2):
        metric.dataset_meta = dict(classes=('cat',))
        metric.process(None, [sample.to_dict() for sample in samples])
        metric.evaluate(4)
    assert sum('left out' in line for line in logged) == 1
    for image in coco['images']:
        image['is_annotated'] = False
    path = write(tmp_path / 'b.json', coco)
    with pytest.raises(ValueError, match='b.json: all 4 frames have "is_annotated": false, expected one to measure'):
        run(samples, classes=('cat',), ann_file=path)
    for value, got in (('false', "'false'"), (None, 'null'), (2, '2')):
        coco['images'][2]['is_annotated'] = value
        with pytest.raises(ValueError, match=rf"images\[2\]: 'is_annotated' must be true or false, got {got}$"):
            run(samples, classes=('cat',), ann_file=write(tmp_path / 'c.json', coco))


@pytest.mark.parametrize(
    'row, warned',
    [
        ('b.' * 12, 23 // 2 + 1),
        ('b.........' * 3, 27),
        ('....b....' * 2, 16),
        ('b' + '.' * 23, 23),
        ('b' * 24, 0),
        ('.' * 24, 0),
        ('.' * 10 + 'b' * 8 + '.' * 6, 0),  # an object that comes and goes
        ('bbbb.' * 5, 0),
        ('b ' * 12, 0),  # flagged
        ('bt' * 12, 0),  # said to be empty
    ],
)
def test_warning(row, warned, tmp_path, logged):
    """b: a box, '.': none, ' ': flagged as not annotated, t: as annotated."""
    coco, samples = one_video([0.5] * len(row))
    coco['annotations'] = [entry for entry, mark in zip(coco['annotations'], row) if mark == 'b']
    for image, mark in zip(coco['images'], row):
        image.update({' ': dict(is_annotated=False), 't': dict(is_annotated=True)}.get(mark, {}))
    run(samples, classes=('cat',), ann_file=write(tmp_path / 'a.json', coco))
    warnings = [line for line in logged if 'no box while' in line]
    assert len(warnings) == bool(warned)
    if warned:
        assert f'a.json: {warned} of {len(row)} frames have no box' in warnings[0]


def test_files_of_predictions_keep_the_flag_and_all_boxes(tmp_path):
    """They are linked over all frames; the mean of SeqNMS by hand."""
    coco, samples = one_video([0.8, 0.2, 0.8, 0.2])
    sparse = every(2, coco)
    ann_file = write(tmp_path / 'a.json', sparse)
    for name, kwargs in (('file', dict(ann_file=ann_file)), ('samples', {})):
        prefix = tmp_path / name
        metrics = run(tell(samples, sparse), classes=('cat',), outfile_prefix=str(prefix), **kwargs)
        path = f'{prefix}.predictions.json'
        content = json.loads((tmp_path / f'{name}.predictions.json').read_text())
        assert [image.get('is_annotated', True) for image in content['images']] == [True, False] * 2
        assert len(content['annotations']) == 4
        np.testing.assert_equal(evaluate_predictions(path, ann_file)[0], metrics)
        linked = json.loads(link_predictions(path, SeqNMS()).read_text())
        assert [image.get('is_annotated', True) for image in linked['images']] == [True, False] * 2
        assert [entry['score'] for entry in linked['annotations']] == pytest.approx([0.5] * 4)
    frames = CocoVidFile(path, annotations=('score',)).predictions(['cat'])
    assert [len(frame) for frame in frames.values()] == [1] * 4


def test_drawn_as_not_annotated(tmp_path):
    coco, samples = one_video()
    sparse = every(2, coco)
    ann_file = write(tmp_path / 'a.json', sparse)
    run(samples, classes=('cat',), ann_file=ann_file, outfile_prefix=str(tmp_path / 'p'))
    for t in range(4):
        cv2.imwrite(str(tmp_path / f'{t}.png'), np.full((100, 100, 3), 50 * t, np.uint8))
    frames, classes = load_results(ann_file, tmp_path, dict(A=str(tmp_path / 'p.predictions.json')))
    for frame, title in zip(frames, ('ground truth', 'not annotated') * 2):
        image = cv2.imread(frame['path'])
        drawer = FrameDrawer(classes, scale=3)
        panels = [drawer.draw_boxes(image, boxes) for boxes in (frame['truth'], frame['found']['A'])]
        assert (draw_panels(frame, classes) == titled_panels(panels, [title, 'A'])).all()
    # No false alarms where nobody looked.
    assert [count_right(frame['found']['A'], frame['truth']) for frame in frames] == [1, 0, 1, 0]


def test_what_a_frame_says():
    empty = dict(bboxes=[], labels=[])
    said = [FrameAnnotations(**empty, is_annotated=value).is_left_out for value in (None, True, False)]
    assert said == [False, False, True]
