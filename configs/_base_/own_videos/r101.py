# RDN of the paper with ResNet-101, in one phase.
_base_ = [
    '../models/faster-rcnn_r101-dc5_imagenetvid.py',
    '../datasets/own_videos.py',
    '../schedules/sgd_60k.py',
    '../default_runtime.py',
]
model = dict(
    temporal_range=18,  # frames, T
    neck=dict(type='RelationAggregator', in_channels=1024),
    support_sampler=dict(type='SelectiveSupportSampler', num_support=75),  # K
)
