# Table 3, row 4, on moving digits: the full RDN.
_base_ = [
    '../_base_/models/faster-rcnn_r18-s8_movingdigits.py',
    '../_base_/datasets/moving_digits.py',
    '../_base_/schedules/movingdigits_1500.py',
    '../_base_/default_runtime.py',
]
model = dict(
    temporal_range=6,  # frames, T
    neck=dict(type='RelationAggregator', in_channels=256),
    support_sampler=dict(type='SelectiveSupportSampler', num_support=16),  # K
)
train_dataloader = dict(dataset=dict(ref_img_sampler=dict(num_ref_imgs=2, frame_range=6)))
custom_hooks = [*_base_.custom_hooks, dict(type='ChannelsLastHook')]
