# RDN on MobileNetV2 with ImageNet weights: fine-tunes on a CPU.
_base_ = [
    '../models/faster-rcnn_mobilenet-v2-s16.py',
    '../datasets/own_videos.py',
    '../schedules/movingdigits_1500.py',
    '../default_runtime.py',
]
model = dict(
    temporal_range=6,  # frames, T
    neck=dict(type='RelationAggregator', in_channels=256),
    support_sampler=dict(type='SelectiveSupportSampler', num_support=16),  # K
)
