# RDN on DAVIS, in one phase.
_base_ = [
    '../_base_/models/faster-rcnn_mobilenet-v2-s16.py',
    '../_base_/datasets/davis.py',
    '../_base_/schedules/davis_800.py',
    '../_base_/default_runtime.py',
]
model = dict(
    detector=dict(roi_head=dict(bbox_head=dict(num_classes=1))),
    temporal_range=12,  # frames, T
    neck=dict(type='RelationAggregator', in_channels=256),
    support_sampler=dict(type='SelectiveSupportSampler', num_support=16),  # K
    recorders=[dict(type='NextFrameRelations')],  # for box linking afterwards
)
train_dataloader = dict(dataset=dict(ref_img_sampler=dict(num_ref_imgs=2, frame_range=12)))
custom_hooks = [*_base_.custom_hooks, dict(type='ChannelsLastHook')]
default_hooks = dict(checkpoint=dict(interval=100, max_keep_ckpts=1))  # what a training that is killed loses
