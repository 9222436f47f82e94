# Faster R-CNN on single frames, trained on moving digits as mmtrack's detectors there: group norm, one
# image a step, a step of the optimizer each four, see docs/comparison.md.
_base_ = [
    '../_base_/models/faster-rcnn_r18-s8_movingdigits.py',
    '../_base_/datasets/moving_digits.py',
    '../_base_/schedules/movingdigits_6000.py',
    '../_base_/default_runtime.py',
]
model = dict(detector=dict(backbone=dict(norm_cfg=dict(type='GN', num_groups=8, requires_grad=True))))
train_dataloader = dict(batch_size=1)
