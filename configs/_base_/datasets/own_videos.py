# Your own videos: tools/misc/suggest_config.py starts from this. Children
# say files, directory of the images, classes, image size and support frames.
train_pipeline = [
    dict(
        type='TransformBroadcaster',
        share_random_params=True,
        transforms=[
            dict(type='LoadFrame'),
            dict(type='LoadTrackAnnotations', with_instance_id=True),
            dict(type='mmdet.Resize', scale=(1000, 600), keep_ratio=True),
            dict(type='RandomFlip', prob=0.5),
        ],
    ),
    dict(type='PackTrackInputs'),
]
test_pipeline = [
    dict(type='LoadFrame'),
    dict(type='mmdet.Resize', scale=(1000, 600), keep_ratio=True),
    dict(type='PackTrackInputs', pack_single_img=True),
]

train_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='SeededInfiniteSampler', shuffle=True),
    dataset=dict(
        type='VideoDetDataset',
        filter_cfg=dict(filter_empty_gt=True, min_size=32),
        pipeline=train_pipeline,
        ref_img_sampler=dict(num_ref_imgs=2, frame_range=18, filter_key_img=False, method='uniform'),
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='VideoSampler'),
    dataset=dict(type='VideoDetDataset', pipeline=test_pipeline, ref_img_sampler=None, test_mode=True),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='VIDMetric')
test_evaluator = val_evaluator
