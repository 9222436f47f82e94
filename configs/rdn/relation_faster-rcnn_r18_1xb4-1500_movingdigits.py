# Table 3, row 2, on moving digits: relation within the frame only.
_base_ = './single-frame_faster-rcnn_r18_1xb4-1500_movingdigits.py'
model = dict(
    temporal_range=0,  # frames
    neck=dict(type='RelationAggregator', in_channels=256, advanced=False),
    support_sampler=dict(type='SelectiveSupportSampler', num_support=16),
)
