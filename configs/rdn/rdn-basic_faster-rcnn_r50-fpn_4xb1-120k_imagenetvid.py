# RDN on a feature pyramid, ResNet-50: phase 1, the basic stage only.
_base_ = [
    '../_base_/models/faster-rcnn_r50-fpn_imagenetvid.py',
    '../_base_/datasets/imagenet_vid.py',
    '../_base_/schedules/sgd_120k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    temporal_range=18,  # frames, T
    neck=dict(type='RelationAggregator', advanced=False),
    support_sampler=dict(type='SelectiveSupportSampler', num_support=75),  # K
)
