# Copyright (c) mmrdn contributors. All rights reserved.
"""A detector and data small enough for tests."""

import copy

import torch
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from mmtrack.structures import TrackDataSample

from mmrdn.registry import MODELS
from mmrdn.setup_env import register_all_modules

_NMS = dict(nms_pre=100, max_per_img=16, nms=dict(type='nms', iou_threshold=0.7), min_bbox_size=0)


def _assigner(pos, neg):
    return dict(type='MaxIoUAssigner', pos_iou_thr=pos, neg_iou_thr=neg, min_pos_iou=neg, ignore_iof_thr=-1)


def model_config(
    neck=dict(type='mmrdn.RelationAggregator', in_channels=24, num_heads=4),
    temporal_range=2,
    support_sampler=dict(type='mmrdn.SelectiveSupportSampler', num_support=4, advanced_ratio=0.5),
    **kwargs,
):
    """Config of an RDN with 3 classes, stride 8, 16 proposals, K = 4."""
    detector = dict(
        _scope_='mmdet',
        type='FasterRCNN',
        backbone=dict(
            type='ResNet',
            depth=18,
            base_channels=8,
            num_stages=3,
            strides=(1, 2, 1),
            dilations=(1, 1, 1),
            out_indices=(2,),
            zero_init_residual=False,
            init_cfg=None,
        ),
        neck=dict(type='ChannelMapper', in_channels=[32], out_channels=16, kernel_size=1),
        rpn_head=dict(
            type='RPNHead',
            in_channels=16,
            feat_channels=16,
            anchor_generator=dict(type='AnchorGenerator', scales=[2, 4], ratios=[1.0], strides=[8]),
            bbox_coder=dict(type='DeltaXYWHBBoxCoder'),
            loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=True),
            loss_bbox=dict(type='L1Loss'),
        ),
        roi_head=dict(
            type='mmrdn.RDNRoIHead',
            bbox_roi_extractor=dict(
                type='SingleRoIExtractor',
                roi_layer=dict(type='RoIAlign', output_size=3, sampling_ratio=1),
                out_channels=16,
                featmap_strides=[8],
            ),
            bbox_head=dict(
                type='mmrdn.RDNBBoxHead', in_channels=16, fc_out_channels=24, roi_feat_size=3, num_classes=3
            ),
        ),
        train_cfg=dict(
            rpn=dict(
                assigner=_assigner(0.7, 0.3),
                sampler=dict(type='RandomSampler', num=32, pos_fraction=0.5, neg_pos_ub=-1, add_gt_as_proposals=False),
                allowed_border=-1,
                pos_weight=-1,
                debug=False,
            ),
            rpn_proposal=_NMS,
            rcnn=dict(
                assigner=_assigner(0.5, 0.5),
                sampler=dict(type='RandomSampler', num=16, pos_fraction=0.5, neg_pos_ub=-1, add_gt_as_proposals=True),
                pos_weight=-1,
                debug=False,
            ),
        ),
        test_cfg=dict(rpn=_NMS, rcnn=dict(score_thr=0.01, nms=dict(type='nms', iou_threshold=0.5), max_per_img=100)),
    )
    return ConfigDict(
        copy.deepcopy(
            dict(
                type='mmrdn.RDN',
                detector=detector,
                neck=neck,
                support_sampler=support_sampler,
                temporal_range=temporal_range,
                **kwargs,
            )
        )
    )


def cascade_config(**kwargs):
    """The same with a cascade of three stages; the second's boxes depend on
    the class."""
    config = model_config(**kwargs)
    detector = config.detector
    detector.type = 'CascadeRCNN'
    head = detector.roi_head
    shared = dict(in_channels=16, fc_out_channels=24, roi_feat_size=3, num_classes=3)
    head.update(
        type='mmrdn.RDNCascadeRoIHead',
        num_stages=3,
        stage_loss_weights=[1, 0.5, 0.25],
        bbox_head=[
            dict(
                type=kind,
                reg_class_agnostic=stage != 1,
                bbox_coder=dict(type='DeltaXYWHBBoxCoder', target_stds=[std, std, 2 * std, 2 * std]),
                **shared,
            )
            for stage, (kind, std) in enumerate(
                [('Shared2FCBBoxHead', 0.1), ('Shared2FCBBoxHead', 0.05), ('mmrdn.RDNBBoxHead', 0.033)]
            )
        ],
    )
    rcnn = detector.train_cfg.rcnn
    detector.train_cfg.rcnn = [dict(rcnn, assigner=_assigner(iou, iou)) for iou in (0.5, 0.6, 0.7)]
    return config


def temporal_config(num_maps=2, **kwargs):
    """The same with mmtrack's Temporal RoI Align."""
    config = model_config(**kwargs)
    config.type = 'mmrdn.TemporalRDN'
    head = config.detector.roi_head
    head.update(type='mmrdn.TemporalRDNRoIHead', num_maps=num_maps)
    head.bbox_roi_extractor.update(
        type='mmtrack.TemporalRoIAlign', num_most_similar_points=2, num_temporal_attention_blocks=4
    )
    return config


def tiny_model(config=None, seed=0, **kwargs):
    """Build the config, weights large enough to tell inputs apart."""
    register_all_modules(init_default_scope=True)
    torch.manual_seed(seed)
    model = MODELS.build(copy.deepcopy(config or model_config(**kwargs)))
    model.init_weights()
    for name, parameter in model.named_parameters():
        if parameter.ndim == 2 and 'geometry' not in name:
            torch.nn.init.normal_(parameter, std=parameter.shape[1] ** -0.5)
        elif 'geometry' in name or 'rpn_cls' in name:
            torch.nn.init.normal_(parameter, std=0.3)
    return model.eval()


def sample(size, video_id, frame_id, video_length):
    """A data sample as ``PackTrackInputs`` makes it."""
    return TrackDataSample(
        metainfo=dict(
            img_id=100 * video_id + frame_id,
            img_shape=size,
            ori_shape=size,
            scale_factor=(1.0, 1.0),
            video_id=video_id,
            frame_id=frame_id,
            video_length=video_length,
        )
    )


def video(length=6, video_id=1, size=(64, 80)):
    """Frames of one video as the test loop hands them over, one at a time."""
    generator = torch.Generator().manual_seed(video_id)
    return [
        (dict(img=torch.rand(1, 1, 3, *size, generator=generator)), [sample(size, video_id, i, length)])
        for i in range(length)
    ]


@torch.no_grad()
def run(model, frames):
    """Results of a video, in the order in which the model gives them."""
    return [result for inputs, samples in copy.deepcopy(frames) for result in model.predict(inputs, samples)]


@torch.no_grad()
def proposals_of(model, frames):
    """(features, boxes, objectness) of each frame by the detector's parts."""
    found = []
    for inputs, samples in copy.deepcopy(frames):
        x = model.detector.extract_feat(inputs['img'][0])
        rpn = model.detector.rpn_head.predict(x, samples, rescale=False)[0]
        feats = model.detector.roi_head.extract(x, [rpn.bboxes])[0]
        found.append((feats.double(), rpn.bboxes.double(), rpn.scores))
    return found


def training_batch(batch, supports, size=(64, 80), seed=0):
    """Inputs and samples of a training step; image ids 10 i, supports + j."""
    generator = torch.Generator().manual_seed(seed)
    inputs = dict(img=torch.rand(batch, 1, 3, *size, generator=generator))
    if supports:
        inputs['ref_img'] = torch.rand(batch, supports, 3, *size, generator=generator)
    samples = []
    for i in range(batch):
        refs = dict(ref_img_id=[10 * i + j + 1 for j in range(supports)], ref_img_shape=[size] * supports)
        if supports == 1:  # as mmtrack packs one support
            refs = {key: value[0] for key, value in refs.items()}
        s = TrackDataSample(
            metainfo=dict(
                img_id=10 * i,
                img_shape=size,
                pad_shape=size,
                ori_shape=size,
                scale_factor=(1.0, 1.0),
                **(refs if supports else {}),
            )
        )
        s.gt_instances = InstanceData(
            bboxes=torch.tensor([[8.0, 8.0, 30.0, 34.0], [40.0, 20.0, 62.0, 50.0]]), labels=torch.tensor([i % 3, 1])
        )
        s.ignored_instances = InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))
        samples.append(s)
    return inputs, samples
