# RDN in Cascade R-CNN, ResNet-50 with FPN: phase 2, from phase 1.
_base_ = [
    '../_base_/models/cascade-rcnn_r50-fpn_imagenetvid.py',
    '../_base_/datasets/imagenet_vid.py',
    '../_base_/schedules/sgd_60k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    temporal_range=18,  # frames, T
    neck=dict(type='RelationAggregator'),
    support_sampler=dict(type='SelectiveSupportSampler', num_support=75),  # K
)

load_from = 'work_dirs/rdn-basic_cascade-rcnn_r50-fpn_4xb1-120k_imagenetvid/iter_120000.pth'
