# As many images and steps of the optimizer as movingdigits_1500.py has with
# batches of 4, for detectors that take one image at a time.
_base_ = './movingdigits_1500.py'
train_cfg = dict(max_iters=6000, val_interval=6000)
optim_wrapper = dict(accumulative_counts=4)
# A fifth of any max_iters; of exactly one iteration MMEngine would divide by zero.
param_scheduler = [dict(type='OneCycleLR', eta_max=1e-3, pct_start=0.2000001, by_epoch=False)]
