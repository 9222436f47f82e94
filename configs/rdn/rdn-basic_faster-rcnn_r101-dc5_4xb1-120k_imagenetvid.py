# Table 3, row 3, and phase 1 of RDN: the basic stage only.
# Table 5: --cfg-options model.neck.num_basic=1 (0 to 4); Table 6, at test
# time: model.support_sampler.num_support=50 (25 to 300).
_base_ = [
    '../_base_/models/faster-rcnn_r101-dc5_imagenetvid.py',
    '../_base_/datasets/imagenet_vid.py',
    '../_base_/schedules/sgd_120k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    temporal_range=18,  # frames, T
    neck=dict(type='RelationAggregator', advanced=False),
    support_sampler=dict(type='SelectiveSupportSampler', num_support=75),
)
