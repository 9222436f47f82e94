# AdamW, one cycle.
train_cfg = dict(type='IterBasedTrainLoop', max_iters=1500, val_interval=1500)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=1e-4, fused=True),
    clip_grad=dict(max_norm=10, norm_type=2),
)
# A fifth of any max_iters; of exactly one iteration MMEngine would divide by zero.
param_scheduler = [dict(type='OneCycleLR', eta_max=1e-3, pct_start=0.2000001, by_epoch=False)]
