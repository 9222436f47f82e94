# AdamW, one cycle.
_base_ = './movingdigits_1500.py'
train_cfg = dict(max_iters=800, val_interval=800)
optim_wrapper = dict(optimizer=dict(lr=4e-4))
param_scheduler = [dict(type='OneCycleLR', eta_max=4e-4, pct_start=0.2000001, by_epoch=False)]
