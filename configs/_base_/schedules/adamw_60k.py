# Phase 2 for transformers: as phase 1, the iterations of sgd_60k.
_base_ = './adamw_120k.py'
train_cfg = dict(max_iters=60000, val_interval=60000)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, end=1000),
    dict(type='MultiStepLR', by_epoch=False, milestones=[40000], gamma=0.1),
]
