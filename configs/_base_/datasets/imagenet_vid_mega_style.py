# ImageNet VID + DET with images resized as the public MEGA repository does it.
_base_ = './imagenet_vid.py'
resize = dict(type='ShorterSideResize', shorter=600, longest=1000)  # pixels
train_pipeline = [
    dict(
        type='TransformBroadcaster',
        share_random_params=True,
        transforms=[
            dict(type='LoadFrame'),
            dict(type='LoadTrackAnnotations', with_instance_id=True),
            resize,
            dict(type='RandomFlip', prob=0.5),
        ],
    ),
    dict(type='PackTrackInputs'),
]
test_pipeline = [dict(type='LoadFrame'), resize, dict(type='PackTrackInputs', pack_single_img=True)]
_base_.train_dataloader.dataset.datasets[0].pipeline = train_pipeline
_base_.train_dataloader.dataset.datasets[1].pipeline = train_pipeline
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
