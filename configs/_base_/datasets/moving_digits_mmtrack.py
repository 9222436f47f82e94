# What children of mmtrack's ImageNet VID configs change for moving digits,
# under names of its own: MMEngine lets no two bases have the same one.
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
digits_val = dict(
    type='mmrdn.MovingDigitsDataset', data_root='data/moving_digits/', ann_file='annotations/moving_digits_val.json'
)
digits_metric = dict(type='mmrdn.VIDMetric', ann_file='data/moving_digits/annotations/moving_digits_val.json')
