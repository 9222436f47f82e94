# Faster R-CNN on single frames of DAVIS.
_base_ = [
    '../_base_/models/faster-rcnn_mobilenet-v2-s16.py',
    '../_base_/datasets/davis.py',
    '../_base_/schedules/davis_800.py',
    '../_base_/default_runtime.py',
]
model = dict(detector=dict(roi_head=dict(bbox_head=dict(num_classes=1))))
custom_hooks = [*_base_.custom_hooks, dict(type='ChannelsLastHook')]
default_hooks = dict(checkpoint=dict(interval=100, max_keep_ckpts=1))  # what a training that is killed loses
