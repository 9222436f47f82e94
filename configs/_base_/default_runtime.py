default_scope = 'mmrdn'

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=10000, save_best='vid/mAP50'),
    # Off. patience: validations in a row that are worse than the best one, after which a training ends.
    early_stop=dict(type='EarlyStoppingHook', monitor='vid/mAP50', min_delta=0.0, patience=None),
    # Off. num_samples: of the validation, whose loss each validation logs as val_loss.
    val_loss=dict(type='ValidationLossHook', num_samples=None),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    visualization=dict(type='LateVisualizationHook', draw=False),  # frames of validations and tests
)
# Interrupted and resumed trainings equal unbroken ones; stop at NaN; the head
# has as many classes as the data; large feature maps cost less on a CPU.
custom_hooks = [
    dict(type='IterSeedHook'),
    dict(type='FiniteLossHook'),
    dict(type='mmdet.NumClassCheckHook'),
    dict(type='KeepMemoryHook'),
]
randomness = dict(seed=0)

env_cfg = dict(
    cudnn_benchmark=False, mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0), dist_cfg=dict(backend='nccl')
)

log_processor = dict(type='LogProcessor', by_epoch=False)
# Scores go to TensorBoard or Weights & Biases too: vis_backends=['LocalVisBackend', 'TensorboardVisBackend'].
visualizer = dict(type='VIDVisualizer', vis_backends=[dict(type='LocalVisBackend')], name='visualizer')
log_level = 'INFO'
load_from = None
resume = False
