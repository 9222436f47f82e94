# Table 3, row 1, on moving digits: Faster R-CNN on single frames.
_base_ = [
    '../_base_/models/faster-rcnn_r18-s8_movingdigits.py',
    '../_base_/datasets/moving_digits.py',
    '../_base_/schedules/movingdigits_1500.py',
    '../_base_/default_runtime.py',
]
custom_hooks = [*_base_.custom_hooks, dict(type='ChannelsLastHook')]
