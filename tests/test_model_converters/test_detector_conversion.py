# Copyright (c) mmrdn contributors. All rights reserved.
"""mmdet's own detectors against what they were converted to."""

import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox2roi

from helpers.converters import (
    BOXES,
    COCO,
    PAIRS,
    TO_FPN,
    bgr_image,
    build_mmdet,
    build_target,
    mmdet_config,
    randomize,
    save_mmdet,
    target_config,
)
from helpers.rdn import sample
from mmrdn.model_converters import SourceDetector, convert_detector, read_source
from mmrdn.registry import MODELS

CAFFE = dict(detector=dict(backbone=dict(style='caffe')))
ROIS = bbox2roi([BOXES])


def converted(tmp_path, name, *changes, classes=COCO):
    """mmdet's detector, ours, and what was said about the entries."""
    cfg = mmdet_config(name)
    theirs = build_mmdet(cfg)
    source = read_source(save_mmdet(tmp_path / 'source.pth', cfg, theirs, classes))
    target = target_config(*changes)
    done = convert_detector(source, target)
    return theirs, build_target(target, done.checkpoint), done


def inputs_of(theirs, ours, image):
    """The image as either detector sees it."""
    meta = dict(img_shape=image.shape[1:], scale_factor=(1.0, 1.0))
    data = theirs.data_preprocessor(dict(inputs=[image], data_samples=[DetDataSample(metainfo=meta)]))
    video = ours.data_preprocessor(
        dict(inputs=dict(img=[image[None]]), data_samples=[sample(tuple(image.shape[1:]), 1, 0, 1)])
    )
    return data, video


def assert_same(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@torch.no_grad()
def test_fpn(tmp_path):
    """Features, RPN, and the rows of the classes that both know."""
    theirs, ours, done = converted(tmp_path, '_fpn', TO_FPN)
    assert not done.coverage.dropped and not done.unfilled
    data, video = inputs_of(theirs, ours, bgr_image())
    x = theirs.extract_feat(data['inputs'])
    y = ours.detector.extract_feat(video['inputs']['img'][:, 0])
    for a, b in zip(x, y):
        assert_same(b, a)
    for a, b in zip(theirs.rpn_head(x), ours.detector.rpn_head(y)):
        for i, j in zip(a, b):
            assert_same(j, i)
    expected = theirs.roi_head._bbox_forward(x, ROIS)
    found = ours.detector.roi_head._bbox_forward(y, ROIS)
    classes = done.checkpoint['meta']['dataset_meta']['classes']
    for name, coco in PAIRS.items():
        i, j = classes.index(name), COCO.index(coco)
        assert_same(found['cls_score'][:, i], expected['cls_score'][:, j])
        assert_same(found['bbox_pred'][:, 4 * i : 4 * i + 4], expected['bbox_pred'][:, 4 * j : 4 * j + 4])
    assert_same(found['cls_score'][:, 30], expected['cls_score'][:, 80])
    # The others begin as the config says: normal, std 0.01, bias 0.
    head = ours.detector.roi_head.bbox_head
    for name in set(classes) - set(PAIRS):
        i = classes.index(name)
        assert head.fc_cls.weight[i].std() < 0.02
        assert head.fc_cls.bias[i] == 0
    again = convert_detector(read_source(tmp_path / 'source.pth'), target_config(TO_FPN))
    for key, value in done.checkpoint['state_dict'].items():
        assert torch.equal(value, again.checkpoint['state_dict'][key])


@pytest.mark.slow
@torch.no_grad()
def test_detections(tmp_path):
    """The whole way, from gray levels to boxes after NMS."""
    cfg = mmdet_config('_fpn')
    theirs = build_mmdet(cfg)
    path = save_mmdet(tmp_path / 'source.pth', cfg, theirs)
    test_cfg = cfg.model.test_cfg
    test_cfg.rcnn.update(score_thr=0.02, max_per_img=50)
    theirs.roi_head.test_cfg = test_cfg.rcnn
    head = dict(num_classes=80)
    target = target_config(TO_FPN, dict(detector=dict(test_cfg=test_cfg, roi_head=dict(bbox_head=head))))
    target.test_dataloader.dataset.metainfo = dict(classes=COCO[::-1])
    done = convert_detector(read_source(path), target)
    ours = build_target(target, done.checkpoint)
    data, video = inputs_of(theirs, ours, bgr_image())
    a = theirs.predict(data['inputs'], data['data_samples'])[0].pred_instances
    b = ours.predict(video['inputs'], video['data_samples'])[0].pred_det_instances
    assert len(a) == len(b) == 50
    assert_same(b.scores, a.scores)
    assert torch.equal(79 - b.labels, a.labels)
    torch.testing.assert_close(b.bboxes, a.bboxes, rtol=1e-4, atol=1e-2)


@pytest.mark.slow
@torch.no_grad()
def test_c4(tmp_path):
    """Stage 4 of the RoI head becomes that of the backbone; 12 of 15 anchors;
    BGR without division becomes RGB divided by std."""
    wide = dict(
        detector=dict(
            backbone=dict(base_channels=64),
            rpn_head=dict(in_channels=1024, feat_channels=16),
            roi_head=dict(bbox_roi_extractor=dict(out_channels=2048), bbox_head=dict(in_channels=2048)),
        )
    )
    theirs, ours, done = converted(tmp_path, '-caffe-c4', CAFFE, wide)
    data, video = inputs_of(theirs, ours, bgr_image())
    (x,) = theirs.extract_feat(data['inputs'])
    conv4, conv5 = ours.detector.extract_feat(video['inputs']['img'][:, 0])
    torch.testing.assert_close(conv4, x, rtol=1e-3, atol=1e-3)
    stage = theirs.roi_head.shared_head.layer4
    stage[0].conv1.stride = stage[0].downsample[0].stride = (1, 1)
    for block in stage:
        block.conv2.dilation = block.conv2.padding = (2, 2)
    torch.testing.assert_close(conv5, stage(x), rtol=1e-3, atol=1e-3)

    (scores,), (deltas,) = theirs.rpn_head([x])
    (our_scores,), (our_deltas,) = ours.detector.rpn_head([x])
    # mmdet: scales 2, 4, 8, 16, 32 in each of three ratios; ours: the last 4.
    kept = [5 * ratio + scale for ratio in range(3) for scale in range(1, 5)]
    assert_same(our_scores, scores[:, kept])
    assert_same(our_deltas, deltas.unflatten(1, (15, 4))[:, kept].flatten(1, 2))
    dropped = {key.rsplit('.', 1)[0] for key in done.coverage.dropped}
    assert dropped == {'roi_head.bbox_head.fc_cls', 'roi_head.bbox_head.fc_reg'}
    assert set(done.coverage.dropped.values()) == {'the model has roi_head.bbox_head.shared_fcs.0 below it'}


@pytest.mark.slow
@torch.no_grad()
def test_dc5(tmp_path):
    """The first fc is kept; what stood on the second is not."""
    theirs, ours, done = converted(tmp_path, '-caffe-dc5', CAFFE)
    data, video = inputs_of(theirs, ours, bgr_image())
    (x,) = theirs.extract_feat(data['inputs'])
    y = ours.detector.extract_feat(video['inputs']['img'][:, 0])
    torch.testing.assert_close(y[1], x, rtol=1e-3, atol=1e-3)
    roi_feats = theirs.roi_head.bbox_roi_extractor([x], ROIS)
    expected = theirs.roi_head.bbox_head.shared_fcs[0](roi_feats.flatten(1)).relu()
    assert_same(ours.detector.roi_head.bbox_head.embed(roi_feats), expected)
    shape = 'its shape is {}, that of the model {}'.format
    absent = 'the model has no such entry'
    below = '{} below it is not that of the model'.format
    rpn, head = 'rpn_head', 'roi_head.bbox_head'
    conv, fc = f'{rpn}.rpn_conv', f'{head}.shared_fcs.1'
    assert done.coverage.dropped == {
        f'{conv}.weight': shape((128, 128, 3, 3), (64, 64, 3, 3)),
        f'{conv}.bias': shape((128,), (64,)),
        f'{rpn}.rpn_cls.weight': below(conv),
        f'{rpn}.rpn_cls.bias': below(conv),
        f'{rpn}.rpn_reg.weight': below(conv),
        f'{rpn}.rpn_reg.bias': below(conv),
        f'{fc}.weight': absent,
        f'{fc}.bias': absent,
        f'{head}.fc_cls.weight': below(fc),
        f'{head}.fc_cls.bias': below(fc),
        f'{head}.fc_reg.weight': below(fc),
        f'{head}.fc_reg.bias': below(fc),
    }


class LastMapConv(torch.nn.Conv2d):
    """A neck that changes the last map alone."""

    def forward(self, maps):
        return *maps[:-1], super().forward(maps[-1])


@pytest.mark.slow
def test_neck_beside_the_rpn(tmp_path):
    """The neck is in front of the RoI head, not of the RPN."""
    MODELS.register_module(module=LastMapConv, force=True)
    neck = dict(type='mmrdn.LastMapConv', in_channels=128, out_channels=128, kernel_size=1)
    target = target_config(CAFFE, dict(detector=dict(neck=neck)))
    ours = build_target(target, dict(state_dict={})).detector.state_dict()
    state = {key: value for key, value in ours.items() if not key.startswith('neck.')}
    source = SourceDetector(
        name='x.pth',
        state=randomize(state),
        keys={key: key for key in state},
        detector=target.model.detector,
        data_preprocessor=target.model.data_preprocessor,
        classes=tuple(PAIRS),
    )
    done = convert_detector(source, target)
    assert {key.split('.')[0] for key in done.coverage.dropped} == {'roi_head'}
    assert set(done.coverage.dropped.values()) == {'the model has neck below it'}
    # One that changes all maps stands below the RPN too.
    target.model.rpn_in_indices = (1,)
    target.model.detector.rpn_head.update(in_channels=128)
    source.state['rpn_head.rpn_conv.weight'] = torch.rand(64, 128, 3, 3)
    done = convert_detector(source, target)
    assert {key.split('.')[0] for key in done.coverage.dropped} == {'roi_head', 'rpn_head'}


@pytest.mark.slow
def test_every_entry_is_accounted_for(tmp_path):
    """Also those of mask and cascade heads, and of mmtrack's detectors."""
    cfg = mmdet_config('_fpn')
    theirs = build_mmdet(cfg)
    state = {
        **{f'detector.{key}': value for key, value in theirs.state_dict().items()},
        'detector.roi_head.bbox_head.aggregator.0.fc.weight': torch.ones(2, 2),
        'detector.roi_head.mask_head.conv_logits.bias': torch.ones(2),
    }
    video = dict(
        detector={key: value for key, value in cfg.model.items() if key != 'data_preprocessor'},
        data_preprocessor=cfg.model.data_preprocessor,
    )
    text = f'model = {video!r}'
    torch.save(dict(meta=dict(config=text, CLASSES=COCO), state_dict=state), tmp_path / 'video.pth')
    done = convert_detector(read_source(tmp_path / 'video.pth'), target_config(TO_FPN))
    coverage = done.coverage
    assert set(coverage.used) | set(coverage.dropped) == set(state)
    assert coverage.dropped == {key: 'the model has no such entry' for key in list(state)[-2:]}
    assert coverage.used['detector.roi_head.bbox_head.fc_cls.bias'] == ('detector.roi_head.bbox_head.fc_cls.bias')
    assert coverage.changed['detector.roi_head.bbox_head.fc_cls.bias'] == (
        '16 of its 80 classes, for 16 of 30 and background'
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    'change, message',
    [
        (
            dict(detector=dict(backbone=dict(style='caffe'))),
            'source.pth has a ResNet of style "pytorch", the config one of style '
            '"caffe": say --cfg-options model.detector.backbone.style=pytorch here '
            'and in training',
        ),
        (
            dict(detector=dict(backbone=dict(depth=101))),
            'source.pth has another backbone: it lacks backbone.layer3.6.conv1.weight',
        ),
        (
            dict(detector=dict(backbone=dict(base_channels=8))),
            'source.pth has another backbone: backbone.conv1.weight is (4, 3, 7, 7), expected (8, 3, 7, 7)',
        ),
        (
            dict(data_preprocessor=dict(mean=[0, 0, 0])),
            'source.pth was trained on pixels in RGB, mean [123.675, 116.28, 103.53],'
            ' std [58.395, 57.12, 57.375], the config makes them RGB, mean '
            '[0.0, 0.0, 0.0], std [58.395, 57.12, 57.375]: set mean, std and '
            'bgr_to_rgb in its data_preprocessor',
        ),
    ],
)
def test_weights_that_would_mean_nothing(change, message, tmp_path):
    with pytest.raises(ValueError) as error:
        converted(tmp_path, '_fpn', change)
    assert str(error.value) == message


@pytest.mark.slow
def test_deeper_source(tmp_path):
    cfg = mmdet_config('_fpn')
    cfg.model.backbone.depth = 101
    path = save_mmdet(tmp_path / 'r101.pth', cfg, build_mmdet(cfg))
    with pytest.raises(ValueError) as error:
        convert_detector(read_source(path), target_config(TO_FPN))
    assert str(error.value) == (
        'r101.pth has another backbone: the model of the config has no backbone.layer3.6.conv1.weight'
    )


@pytest.mark.slow
def test_means_that_differ_a_little(tmp_path):
    mean = [102.9801, 115.9465, 122.7717]  # Caffe's, in BGR
    with pytest.warns(
        UserWarning,
        match='^means of the pixels differ by up '
        r'to 0\.90 gray levels$',
    ):
        converted(tmp_path, '_fpn', dict(data_preprocessor=dict(mean=mean[::-1])))


@pytest.mark.slow
def test_class_agnostic_boxes(tmp_path):
    """Four rows serve any class; the other way there is no answer."""
    cfg = mmdet_config('_fpn')
    cfg.model.roi_head.bbox_head.reg_class_agnostic = True
    theirs = build_mmdet(cfg)
    path = save_mmdet(tmp_path / 'source.pth', cfg, theirs)
    target = target_config(TO_FPN)
    state = convert_detector(read_source(path), target).checkpoint['state_dict']
    rows = state['detector.roi_head.bbox_head.fc_reg.weight']
    given = theirs.roi_head.bbox_head.fc_reg.weight
    for i in range(30):
        assert torch.equal(rows[4 * i : 4 * i + 4], given)

    agnostic = dict(detector=dict(roi_head=dict(bbox_head=dict(reg_class_agnostic=True))))
    _, _, done = converted(tmp_path, '_fpn', TO_FPN, agnostic)
    assert done.coverage.dropped == {
        f'roi_head.bbox_head.fc_reg.{name}': 'its boxes depend on the class, those of the model do not'
        for name in ('weight', 'bias')
    }


@pytest.mark.slow
def test_unknown_classes(tmp_path):
    """Rows are carried by name alone."""
    _, _, done = converted(tmp_path, '_fpn', TO_FPN, classes=())
    assert {key.rsplit('.', 1)[0]: reason for key, reason in done.coverage.dropped.items()} == {
        f'roi_head.bbox_head.fc_{branch}': 'the names of its classes are not known, name them by --source-classes'
        for branch in ('cls', 'reg')
    }
    _, _, done = converted(tmp_path, '_fpn', TO_FPN, classes=[f'c{i}' for i in range(80)])
    assert set(done.coverage.dropped.values()) == {"none of its 80 classes is one of the model's 30"}
    _, _, done = converted(tmp_path, '_fpn', TO_FPN, classes=['car', 'dog'])
    assert set(done.coverage.dropped.values()) == {'it has 81 rows, expected 3', 'it has 320 rows, expected 4 or 8'}
