# Copyright (c) mmrdn contributors. All rights reserved.
"""The clip in ``demo/`` and what is in it."""

from helpers.naive_vid_map import loop_iou
from helpers.tools import ROOT
from mmrdn.datasets.moving_digits import MovingDigitsConfig, load_split_digits, load_split_photos, make_scene

NAME = 'rdn_faster-rcnn_r18_1xb4-1500_movingdigits'
DEMO = ROOT / 'demo'
CLIP = DEMO / 'moving_digits.mp4'
CLASSES = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine']


def check_digits(lines):
    """Compare with the generator. No training saw these digits and photographs."""
    config = MovingDigitsConfig(seed=2, val_frames=60)
    scene = make_scene(config, 'val', 0, load_split_digits('val'), load_split_photos('val'))
    assert len(lines) == 60
    num_digits, num_found, num_wrong = 0, 0, 0
    for t, line in enumerate(lines):
        left = [(CLASSES[digit['label']], digit['bbox']) for digit in scene.render(t)[1]]
        num_digits += len(left)
        for found in line['detections']:  # by descending score
            hits = [digit for digit in left if digit[0] == found['class'] and loop_iou(found['bbox'], digit[1]) >= 0.5]
            num_found += bool(hits)
            num_wrong += not hits
            if hits:
                left.remove(hits[0])
    assert num_digits == 162 and num_found > 100 and num_wrong < 10
