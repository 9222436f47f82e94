# Copyright (c) mmrdn contributors. All rights reserved.
import av
import cv2
import numpy as np
import pytest

from mmrdn.comparison import demo
from mmrdn.comparison.demo import write_images
from mmrdn.comparison.highlights import count_right
from mmrdn.datasets.moving_digits import MovingDigitsConfig
from mmrdn.evaluation.prediction_files import evaluate_predictions
from mmrdn.fileio.json_files import read_json
from mmrdn.structures import FrameAnnotations, FrameDetections
from mmrdn.visualization.canvas import title_height


def detections(*rows):
    boxes = np.array([row[:4] for row in rows], float).reshape(-1, 4)
    return FrameDetections(bboxes=boxes, labels=[row[4] for row in rows], scores=[row[5] for row in rows])


TRUTH = FrameAnnotations(bboxes=[[0, 0, 10, 10], [20, 20, 40, 40]], labels=[1, 2])


@pytest.mark.parametrize(
    'found, expected',
    [
        ([], 0),
        ([(0, 0, 10, 10, 1, 0.9), (20, 20, 40, 40, 2, 0.8)], 2),
        ([(0, 0, 10, 10, 2, 0.9)], -1),  # wrong class
        ([(0, 0, 10, 5, 1, 0.9)], 1),  # IoU 0.5
        ([(0, 0, 10, 4.9, 1, 0.9)], -1),  # IoU 0.49
        ([(0, 0, 10, 10, 1, 0.9), (0, 0, 10, 10, 1, 0.8)], 0),  # found twice
    ],
)
def test_count_right_by_hand(found, expected):
    assert count_right(detections(*found), TRUTH) == expected


def test_only_confident_detections_are_drawn():
    kept = detections((0, 0, 9, 9, 1, 0.6), (0, 0, 5, 5, 0, 0.4)).above(0.5)
    assert kept.scores.tolist() == [0.6] and kept.labels.tolist() == [1]


@pytest.mark.parametrize('better', ['a', 'b', None])
def test_images_show_where_two_differ(tmp_path, better):
    """One row for the video with a difference, whichever way it goes.

    And one image all the same if there is none.
    """
    frames, right = [], detections((0, 0, 10, 10, 1, 0.9))
    wrong = detections((0, 0, 10, 10, 0, 0.9))
    for i in range(3):
        path = tmp_path / f'{i}.png'
        cv2.imwrite(str(path), np.zeros((40, 60, 3), np.uint8))
        found = {name: right if i or better in (None, name) else wrong for name in ('a', 'b')}
        frames.append(dict(path=str(path), video=i, truth=TRUTH, found=found))
    video, sheet = tmp_path / 'demo.mp4', tmp_path / 'demo.png'
    write_images(frames, ['x', 'y', 'z'], video, sheet)
    with av.open(str(video)) as container:
        assert len(list(container.decode(video=0))) == 3
    height = 2 * 40 + title_height(80, 120)  # one row at twice the size
    assert cv2.imread(str(sheet)).shape[0] == height


@pytest.mark.slow
def test_from_data_to_table(tmp_path, run_main, monkeypatch):
    """A few videos and iterations: both detectors at the same time, by the tools."""
    videos = MovingDigitsConfig(num_train_videos=6, train_frames=3, num_val_videos=3, val_frames=4)
    monkeypatch.setattr(demo, 'MovingDigitsConfig', lambda: videos)
    work = tmp_path / 'work'
    args = ('--work-dir', work, '--seed', '1', '--cfg-options', 'train_cfg.max_iters=2')
    status, out, _ = run_main('demo.py', *args)
    assert status == 0
    first, second = out.index('single frame: training 2/2'), out.index('RDN: training 2/2')
    assert max(first, second) < min(out.index(f'{name}: testing') for name in ('single frame', 'RDN'))
    summary, truth = read_json(work / 'summary.json'), work / 'moving_digits' / 'annotations' / 'moving_digits_val.json'
    frames = len(read_json(truth)['images'])
    for name, row in summary['rows'].items():
        directory = work / f'{name.replace(" ", "_").lower()}_seed1'
        scores, _ = evaluate_predictions(str(directory / 'val.predictions.json'), str(truth))
        assert row['mAP50'] == round(100 * scores['vid/mAP50'], 2)
        assert row['frames'] == frames - 4 and row['videos'] == 2  # all but the first video are timed
        assert 'randomness = dict(seed=1)' in (directory / 'config.py').read_text()
    rdn, single = summary['rows']['RDN'], summary['rows']['single frame']
    assert summary['gain_mAP50'] == round(rdn['mAP50'] - single['mAP50'], 2)
    assert f'RDN is {summary["gain_mAP50"]:+.1f} points of mAP50 ahead' in out
    with av.open(str(work / 'demo.mp4')) as container:
        assert len(list(container.decode(video=0))) == frames
    assert cv2.imread(str(work / 'demo.png')) is not None
    # Nothing is done twice.
    status, out, _ = run_main('demo.py', *args)
    assert status == 0 and out.count('already done') == 2 and 'training' not in out
    assert read_json(work / 'summary.json')['rows'] == summary['rows']
