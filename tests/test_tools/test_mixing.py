# Copyright (c) mmrdn contributors. All rights reserved.
"""RDN with parts of mmtrack and mmdet: two steps and one video of each.

See docs/combinations.md. What the parts compute is tested in test_models.
"""

import json

import numpy as np
import pytest
import torch

from helpers.configs import MIXED, MIXED_DIGITS
from helpers.mim import first_video, mim, write_short
from helpers.tools import logged_steps
from mmrdn.evaluation import vid_map
from mmrdn.fileio.checkpoint import load_checkpoint_file

RPN = ('loss_rpn_cls', 'loss_rpn_bbox')
ROI = ('loss_cls', 'loss_bbox')
# Config -> parameters of the mixed-in part, losses.
CASES = {
    'selsa-relation_faster-rcnn_r18_1xb1-6000_movingdigits': ('bbox_head.aggregator.', RPN + ROI),
    'rdn-selsa_faster-rcnn_r18_1xb4-1500_movingdigits': ('neck.basic.1.aggregator.', RPN + ROI),
    'rdn-troia_faster-rcnn_r18_1xb4-1500_movingdigits': ('bbox_roi_extractor.embed_network.', RPN + ROI),
    'rdn_faster-rcnn_r18-fpn_1xb4-1500_movingdigits': ('detector.neck.fpn_convs.', RPN + ROI),
    'rdn_faster-rcnn_swin-fpn_1xb4-1500_movingdigits': ('detector.backbone.stages.', RPN + ROI),
    'rdn_cascade-rcnn_r18_1xb4-1500_movingdigits': (
        'roi_head.bbox_head.',
        RPN + tuple(f's{stage}.{name}' for stage in range(3) for name in ROI),
    ),
}


def boxes_by_frame(content, images, scores):
    """Boxes of a COCO file as arrays, one dict a frame."""
    labels = {c['id']: i for i, c in enumerate(content['categories'])}
    found = []
    for image in images:
        mine = [a for a in content['annotations'] if a['image_id'] == image['id']]
        corners = np.array([a['bbox'] for a in mine], float).reshape(-1, 4)
        corners[:, 2:] += corners[:, :2]
        found.append(dict(bboxes=corners, labels=np.array([labels[a['category_id']] for a in mine], int)))
        if scores:
            found[-1]['scores'] = np.array([a['score'] for a in mine])
    return found


def test_every_mixed_config_on_moving_digits_is_tried():
    assert sorted(CASES) == sorted(MIXED_DIGITS)


@pytest.mark.parametrize('stem', CASES)
def test_two_steps_and_one_video(stem, digits, tmp_path):
    part, parts_of_loss = CASES[stem]
    truth = first_video(digits)
    config, work = write_short(MIXED[stem], digits, tmp_path), tmp_path / 'w'

    mim('train', config, '--work-dir', work)

    steps = logged_steps(work)
    assert [step['step'] for step in steps] == [1, 2]
    names = {name for name in steps[0] if 'loss' in name} - {'loss'}
    assert names == set(parts_of_loss)
    for step in steps:
        assert all(np.isfinite(step[name]) for name in names)
    # The message hub smooths: the first is as it is.
    assert steps[0]['loss'] == pytest.approx(sum(steps[0][name] for name in names), abs=1e-5)
    first, second = (load_checkpoint_file(work / f'iter_{i}.pth')['state_dict'] for i in (1, 2))
    mixed_in = [name for name in first if part in name]
    mixed_in = [name for name in mixed_in if is_trained(name, first)]
    assert mixed_in
    for name in mixed_in:  # no weight decay: a gradient did it
        assert torch.isfinite(second[name]).all(), name
        assert not torch.equal(first[name], second[name]), name

    mim('test', config, '--work-dir', tmp_path / 'tested', checkpoint=str(work / 'iter_2.pth'))

    logs = sorted((tmp_path / 'tested').glob('2*/2*.json'))
    metrics = json.loads(logs[-1].read_text())
    content = json.loads((tmp_path / 'one.predictions.json').read_text())
    images = truth['images']
    assert [i['id'] for i in content['images']] == [i['id'] for i in images]
    detections = boxes_by_frame(content, images, scores=True)
    assert sum(len(frame['scores']) for frame in detections) > 20
    expected = vid_map(detections, boxes_by_frame(truth, images, scores=False), num_classes=10, iou_thr=0.05)
    assert metrics['vid/mAP50'] == round(expected['mAP50'], 4) > 0


def is_trained(name, state):
    """Whether a tensor of a checkpoint is a parameter that gets gradients.

    Not those of batch norm's statistics, of Swin's tables of indices, of layers for geometry that
    SELSA has no boxes for, and of keys' biases, which cancel in the softmax.
    """
    return state[name].is_floating_point() and not any(
        word in name
        for word in ('running_', 'relative_position_index', 'geometry_proj', 'key_proj.bias', 'ref_fc_embed.bias')
    )
