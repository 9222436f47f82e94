# Phase 1 for transformers: the iterations of sgd_120k, AdamW as mmdet's Swin
# detectors use it, whose lr of 1e-4 is for 16 images an iteration.
_base_ = './sgd_120k.py'
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=2.5e-5, betas=(0.9, 0.999), weight_decay=0.05),
    paramwise_cfg=dict(
        custom_keys={'relative_position_bias_table': dict(decay_mult=0.0), 'norm': dict(decay_mult=0.0)}
    ),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, end=1000),
    dict(type='MultiStepLR', by_epoch=False, milestones=[80000], gamma=0.1),
]
