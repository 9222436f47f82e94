# RDN on the small ResNet-18 of moving digits, from scratch: trains on a CPU.
_base_ = [
    '../models/faster-rcnn_r18-s8_movingdigits.py',
    '../datasets/own_videos.py',
    '../schedules/movingdigits_1500.py',
    '../default_runtime.py',
]
model = dict(
    temporal_range=6,  # frames, T
    neck=dict(type='RelationAggregator', in_channels=256),
    support_sampler=dict(type='SelectiveSupportSampler', num_support=16),  # K
)
