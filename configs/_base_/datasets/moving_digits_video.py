# Moving digits for mmtrack's video detectors: a key frame a step and a
# reference frame on either side of it; in testing the six frames before it and
# the six after it, as RDN has them.
_base_ = './moving_digits.py'

test_pipeline = [
    dict(
        type='TransformBroadcaster',
        share_random_params=True,
        transforms=[dict(type='LoadFrame'), dict(type='mmdet.Resize', scale=(160, 128), keep_ratio=True)],
    ),
    dict(type='PackTrackInputs'),
]
train_dataloader = dict(
    batch_size=1,
    dataset=dict(
        ref_img_sampler=dict(
            num_ref_imgs=2,
            frame_range=6,  # frames
            filter_key_img=True,
            method='bilateral_uniform',
        )
    ),
)
val_dataloader = dict(
    dataset=dict(
        pipeline=test_pipeline,
        ref_img_sampler=dict(
            _delete_=True,
            num_ref_imgs=12,
            frame_range=[-6, 6],  # frames
            stride=1,
            method='test_with_fix_stride',
        ),
    )
)
test_dataloader = val_dataloader
