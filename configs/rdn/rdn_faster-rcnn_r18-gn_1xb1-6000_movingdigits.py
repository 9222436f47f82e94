# The full RDN, trained on moving digits as mmtrack's detectors there: group norm, one video a step with a
# support frame on either side, see docs/comparison.md.
_base_ = [
    '../_base_/models/faster-rcnn_r18-s8_movingdigits.py',
    '../_base_/datasets/moving_digits.py',
    '../_base_/schedules/movingdigits_6000.py',
    '../_base_/default_runtime.py',
]
model = dict(
    temporal_range=6,  # frames, T
    neck=dict(type='RelationAggregator', in_channels=256),
    support_sampler=dict(type='SelectiveSupportSampler', num_support=16),  # K
    detector=dict(backbone=dict(norm_cfg=dict(type='GN', num_groups=8, requires_grad=True))),
)
train_dataloader = dict(
    batch_size=1,
    dataset=dict(ref_img_sampler=dict(num_ref_imgs=2, frame_range=6, filter_key_img=True, method='bilateral_uniform')),
)
