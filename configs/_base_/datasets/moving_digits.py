# Moving digits (made by tools/dataset_converters/make_moving_digits.py), as
# single frames: children that relate frames set ref_img_sampler.
dataset_type = 'MovingDigitsDataset'
data_root = 'data/moving_digits/'

train_pipeline = [
    dict(
        type='TransformBroadcaster',
        share_random_params=True,
        transforms=[
            dict(type='LoadFrame'),
            dict(type='LoadTrackAnnotations', with_instance_id=True),
            dict(type='mmdet.Resize', scale=(160, 128), keep_ratio=True),
        ],
    ),
    dict(type='PackTrackInputs'),
]
test_pipeline = [
    dict(type='LoadFrame'),
    dict(type='mmdet.Resize', scale=(160, 128), keep_ratio=True),
    dict(type='PackTrackInputs', pack_single_img=True),
]

train_dataloader = dict(
    batch_size=4,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='SeededInfiniteSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/moving_digits_train.json',
        data_prefix=dict(img_path='Data/VID'),
        filter_cfg=dict(filter_empty_gt=True, min_size=32),
        pipeline=train_pipeline,
        ref_img_sampler=dict(num_ref_imgs=0, frame_range=0, filter_key_img=False, method='uniform'),
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='VideoSampler'),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/moving_digits_val.json',
        data_prefix=dict(img_path='Data/VID'),
        pipeline=test_pipeline,
        ref_img_sampler=None,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='VIDMetric', ann_file=data_root + 'annotations/moving_digits_val.json')
test_evaluator = val_evaluator
