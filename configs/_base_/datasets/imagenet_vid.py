# ImageNet VID (15 frames a video) + DET (30 classes), each training image with
# two support frames.
# ----------------------------- often changed ---------------------------------
data_root = 'data/ILSVRC/'

# ---------------------------- possibly changed -------------------------------
# The limits of FGFA, MEGA and mmtrack. The paper (section 5.2) has no limit for the longer side: for its
# literal reading, use scale=(100000, 600), see docs/reproduction.md.
scale = (1000, 600)  # longest and shortest side, pixels

# ----------------------------- rarely changed --------------------------------
dataset_type = 'ImageNetVIDDataset'
train_pipeline = [
    dict(
        type='TransformBroadcaster',
        share_random_params=True,
        transforms=[
            dict(type='LoadFrame'),
            dict(type='LoadTrackAnnotations', with_instance_id=True),
            dict(type='mmdet.Resize', scale=scale, keep_ratio=True),
            dict(type='RandomFlip', prob=0.5),
        ],
    ),
    dict(type='PackTrackInputs'),
]
test_pipeline = [
    dict(type='LoadFrame'),
    dict(type='mmdet.Resize', scale=scale, keep_ratio=True),
    dict(type='PackTrackInputs', pack_single_img=True),
]
# Of a video, two support frames in [-T, T]; a still image of DET supports itself.
support_frames = dict(num_ref_imgs=2, frame_range=18, filter_key_img=False, method='uniform')

train_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='SeededInfiniteSampler', shuffle=True),
    dataset=dict(
        type='ConcatDataset',
        datasets=[
            dict(
                type=dataset_type,
                data_root=data_root,
                ann_file='annotations/imagenet_vid_train.json',
                data_prefix=dict(img_path='Data/VID'),
                filter_cfg=dict(filter_empty_gt=True, min_size=32),
                pipeline=train_pipeline,
                load_as_video=True,
                ref_img_sampler=support_frames,
            ),
            dict(
                type=dataset_type,
                data_root=data_root,
                ann_file='annotations/imagenet_det_30classes.json',
                data_prefix=dict(img_path='Data/DET'),
                filter_cfg=dict(filter_empty_gt=True, min_size=32),
                pipeline=train_pipeline,
                load_as_video=False,
                ref_img_sampler=dict(support_frames, frame_range=0),
            ),
        ],
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='VideoSampler'),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/imagenet_vid_val.json',
        data_prefix=dict(img_path='Data/VID'),
        pipeline=test_pipeline,
        load_as_video=True,
        ref_img_sampler=None,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='VIDMetric', ann_file=data_root + 'annotations/imagenet_vid_val.json')
test_evaluator = val_evaluator
