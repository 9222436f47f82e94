# Phase 2 (section 5.2): 4 GPUs x 1 image, 60k iterations, lr 1e-3 then 1e-4.
train_cfg = dict(type='IterBasedTrainLoop', max_iters=60000, val_interval=60000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=1e-3, momentum=0.9, weight_decay=1e-4))
param_scheduler = [dict(type='MultiStepLR', by_epoch=False, milestones=[40000], gamma=0.1)]
auto_scale_lr = dict(enable=False, base_batch_size=4)  # images an iteration
