# What children of mmtrack's ImageNet VID configs change for moving digits, under other names than
# theirs: MMEngine does not allow the same name in two bases.
custom_imports = dict(imports=['mmrdn.datasets', 'mmrdn.evaluation', 'mmrdn.models'])
digits_train = dict(
    type='mmrdn.MovingDigitsDataset',
    data_root='data/moving_digits/',
    ann_file='annotations/moving_digits_train.json',
    data_prefix=dict(img_path='Data/VID'),
    filter_cfg=dict(filter_empty_gt=True, min_size=32),
    pipeline=[  # mmtrack's without the flip: mirrored digits are none
        dict(
            type='TransformBroadcaster',
            share_random_params=True,
            transforms=[
                dict(type='LoadImageFromFile'),
                dict(type='LoadTrackAnnotations', with_instance_id=True),
                dict(type='mmdet.Resize', scale=(1000, 600), keep_ratio=True),
            ],
        ),
        dict(type='PackTrackInputs'),
    ],
)
digits_test_dataloader = dict(
    dataset=dict(
        type='mmrdn.MovingDigitsDataset', data_root='data/moving_digits/', ann_file='annotations/moving_digits_val.json'
    )
)
digits_metric = dict(type='mmrdn.VIDMetric', ann_file='data/moving_digits/annotations/moving_digits_val.json')
digits_detector = dict(  # from scratch
    backbone=dict(frozen_stages=-1, norm_eval=False, init_cfg=None), roi_head=dict(bbox_head=dict(num_classes=10))
)
