# Table 3, row 2: relation within the frame only.
_base_ = './single-frame_faster-rcnn_r101-dc5_4xb1-120k_imagenetvid.py'
model = dict(
    temporal_range=0,  # frames
    neck=dict(type='RelationAggregator', advanced=False),
    support_sampler=dict(type='SelectiveSupportSampler', num_support=300),
)
