default_scope = 'mmrdn'

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=10000),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    visualization=dict(type='LateVisualizationHook', draw=False),
)
# Interrupted and resumed trainings equal unbroken ones; stop at NaN; the head
# has as many classes as the data.
custom_hooks = [dict(type='IterSeedHook'), dict(type='FiniteLossHook'), dict(type='mmdet.NumClassCheckHook')]
randomness = dict(seed=0)

env_cfg = dict(
    cudnn_benchmark=False, mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0), dist_cfg=dict(backend='nccl')
)

log_processor = dict(by_epoch=False)
visualizer = dict(type='VIDVisualizer', vis_backends=[dict(type='LocalVisBackend')], name='visualizer')
log_level = 'INFO'
load_from = None
resume = False
