# Copyright (c) mmrdn contributors. All rights reserved.
import copy
import json
import math
import os.path as osp
import runpy
import sys

import pytest

ROOT = osp.dirname(osp.dirname(osp.dirname(osp.abspath(__file__))))
TOOL = osp.join(ROOT, 'tools', 'analysis_tools', 'eval_predictions.py')

# Two frames of one video with a still cat; the dog is in the first only.
GROUND_TRUTH = dict(
    categories=[dict(id=1, name='cat'), dict(id=2, name='dog')],
    videos=[dict(id=1, name='v')],
    images=[dict(id=i, video_id=1, frame_id=i, file_name='', width=99, height=99) for i in range(2)],
    annotations=[
        dict(id=1, image_id=0, category_id=1, instance_id=1),
        dict(id=2, image_id=1, category_id=1, instance_id=1),
        dict(id=3, image_id=0, category_id=2, instance_id=2),
    ],
)
for ann in GROUND_TRUTH['annotations']:
    ann.update(bbox=[10, 10, 50, 50], area=2500, iscrowd=0)
# One cat of two is found, the dog after a false alarm.
PREDICTIONS = dict(
    GROUND_TRUTH,
    annotations=[
        dict(image_id=0, category_id=1, bbox=[11, 11, 50, 50], score=0.5),
        dict(image_id=1, category_id=2, bbox=[10, 10, 50, 50], score=0.9),
        dict(image_id=0, category_id=2, bbox=[10, 10, 50, 50], score=0.8),
    ],
)


@pytest.fixture
def evaluate(tmp_path, monkeypatch, capsys):
    """Run the tool in this process: exit code, stdout, stderr."""

    def call(predictions, ground_truth=GROUND_TRUTH, *options):
        paths = []
        for name, content in (('pred.json', predictions), ('gt.json', ground_truth)):
            paths.append(str(tmp_path / name))
            if content is not None:
                text = content if isinstance(content, str) else json.dumps(content)
                (tmp_path / name).write_text(text)
        monkeypatch.setattr(sys, 'argv', [TOOL, *paths, *map(str, options)])
        code = 0
        try:
            runpy.run_path(TOOL, run_name='__main__')
        except SystemExit as ended:
            code = ended.code
        return (code, *capsys.readouterr())

    return call


def test_table_and_numbers(evaluate):
    code, out, _ = evaluate(PREDICTIONS)
    assert code == 0
    lines = out.splitlines()
    # Cat: recall 1/2 at precision 1. Dog: recall 1 at precision 1/2.
    for line in (
        'vid/mAP50: 0.5000',
        'vid/AP50/cat: 0.5000',
        'vid/AP50/dog: 0.5000',
        'vid/mAP50_slow: 0.5000',
        'vid/mAP50_fast: nan',
    ):
        assert line in lines
    assert any(
        line.split() == ['|', 'cat', '|', '2', '|', '0.5000', '|'] + ['nan', '|', 'nan', '|', '0.5000', '|']
        for line in lines
    )


def changed(content, path, value):
    """A copy with one value replaced, or removed for None."""
    content = copy.deepcopy(content)
    *parents, last = path
    place = content
    for key in parents:
        place = place[key]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return content


ANN = ('annotations', 1)


@pytest.mark.parametrize(
    'content, message',
    [
        (None, 'pred.json does not exist'),
        ('', 'pred.json: truncated or broken JSON, the file is empty'),
        (json.dumps(PREDICTIONS)[:-20], 'pred.json: truncated or broken JSON'),
        ([], 'pred.json: expected a JSON object, got list'),
        (changed(PREDICTIONS, ['categories'], None), "field 'categories'"),
        (changed(PREDICTIONS, ['images'], 3), "'images' must be a list, got int"),
        (changed(PREDICTIONS, [*ANN, 'score'], None), "annotations[1] must have the field 'score'"),
        (changed(PREDICTIONS, [*ANN, 'bbox'], None), "annotations[1] must have the field 'bbox'"),
        (changed(PREDICTIONS, [*ANN, 'bbox'], [1, 2, 3]), 'four finite numbers'),
        (changed(PREDICTIONS, [*ANN, 'score'], 'high'), "annotations[1]: 'score' must be a finite number, got 'high'"),
        (
            changed(PREDICTIONS, [*ANN, 'score'], math.nan),
            "pred.json: annotations[1]: 'score' must be a finite number, got nan",
        ),
        (json.dumps(PREDICTIONS).replace('0.9', '1e999'), "annotations[1]: 'score' must be a finite number, got inf"),
        (changed(PREDICTIONS, [*ANN, 'image_id'], 8), 'image_id 8'),
        (changed(PREDICTIONS, [*ANN, 'image_id'], [8]), "'image_id' must be"),
        (changed(PREDICTIONS, [*ANN, 'category_id'], 8), 'category_id 8'),
        (changed(PREDICTIONS, ['categories', 0, 'name'], 'yak'), "gt.json has no category 'yak'"),
        (changed(PREDICTIONS, ['info'], dict(iou_thr='x')), "'info'"),
        (changed(PREDICTIONS, ['info'], dict(iou_thr=2)), 'iou_thr'),
        (
            dict(PREDICTIONS, images=PREDICTIONS['images'][:1], annotations=[]),
            '1 of 2 frames have no prediction, the first is img_id 1',
        ),
    ],
)
def test_bad_predictions_get_one_line(content, message, evaluate):
    code, out, err = evaluate(content)
    assert code == 1
    assert err.startswith('error: ') and err.count('\n') == 1
    assert message in err
    assert 'mAP50' not in out


@pytest.mark.parametrize(
    'content, message',
    [
        (None, 'gt.json does not exist'),
        (json.dumps(GROUND_TRUTH)[:50], 'gt.json: truncated or broken JSON'),
        (changed(GROUND_TRUTH, ['images', 1, 'video_id'], None), "gt.json: images[1] must have the field 'video_id'"),
        (changed(GROUND_TRUTH, ['images', 1, 'id'], 0), "images[1]: id '0' is there twice"),
        (changed(GROUND_TRUTH, ['images', 1, 'frame_id'], 'x'), "'frame_id'"),
        (changed(GROUND_TRUTH, [*ANN, 'image_id'], 0), 'two in frame 0'),
        (changed(GROUND_TRUTH, [*ANN, 'bbox'], [1, 2, 'x', 4]), 'four finite numbers'),
    ],
)
def test_bad_ground_truth_gets_one_line(content, message, evaluate):
    code, _, err = evaluate(PREDICTIONS, content)
    assert code == 1
    assert err.startswith('error: ') and err.count('\n') == 1
    assert message in err


@pytest.mark.slow
def test_report(evaluate, tmp_path):
    """A cat and the dog are found, by scores of 0.5 and more; a dog's detection is on the other cat."""
    code, _, _ = evaluate(PREDICTIONS, GROUND_TRUTH, '--report', tmp_path / 'r', '--score-thr', 0.5)
    assert code == 0
    report = json.loads((tmp_path / 'r.report.json').read_text())
    assert report['confusion_matrix']['counts'] == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]
    assert [report['classes'][name]['ap'] for name in ('cat', 'dog')] == [0.5, 0.5]
    code, _, error = evaluate(PREDICTIONS, GROUND_TRUTH, '--report', tmp_path / 'r')
    assert code == 1 and error.startswith('error: ') and 'r.report.json exists' in error and error.count('\n') == 1
