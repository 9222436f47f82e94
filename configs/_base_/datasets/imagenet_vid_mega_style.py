# ImageNet VID (15 frames a video) + DET (30 classes), as single frames:
# children that relate frames set ref_img_sampler. The data of imagenet_vid.py,
# with images resized as the public MEGA repository does it.
# ----------------------------- often changed ---------------------------------
data_root = 'data/ILSVRC/'

# ---------------------------- possibly changed -------------------------------
resize = dict(type='ShorterSideResize', shorter=600, longest=1000)  # pixels

# ----------------------------- rarely changed --------------------------------
dataset_type = 'ImageNetVIDDataset'
train_pipeline = [
    dict(
        type='TransformBroadcaster',
        share_random_params=True,
        transforms=[
            dict(type='LoadFrame'),
            dict(type='LoadTrackAnnotations', with_instance_id=True), resize,
            dict(type='RandomFlip', prob=0.5)
        ]),
    dict(type='PackTrackInputs')
]
test_pipeline = [
    dict(type='LoadFrame'), resize,
    dict(type='PackTrackInputs', pack_single_img=True)
]
single_frame = dict(
    num_ref_imgs=0, frame_range=0, filter_key_img=False, method='uniform')

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
                ref_img_sampler=single_frame),
            dict(
                type=dataset_type,
                data_root=data_root,
                ann_file='annotations/imagenet_det_30classes.json',
                data_prefix=dict(img_path='Data/DET'),
                filter_cfg=dict(filter_empty_gt=True, min_size=32),
                pipeline=train_pipeline,
                load_as_video=False,
                ref_img_sampler=single_frame)
        ]))
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
        test_mode=True))
test_dataloader = val_dataloader

val_evaluator = dict(
    type='VIDMetric', ann_file=data_root + 'annotations/imagenet_vid_val.json')
test_evaluator = val_evaluator
