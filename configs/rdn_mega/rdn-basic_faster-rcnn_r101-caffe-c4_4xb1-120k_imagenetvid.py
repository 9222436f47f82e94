# MEGA's "RDN-base": the basic stage only. Missing frames at the ends of a
# video are repeated ones.
_base_ = [
    '../_base_/models/faster-rcnn_r101-caffe-c4_imagenetvid.py',
    '../_base_/datasets/imagenet_vid_mega_style.py',
    '../_base_/schedules/sgd_120k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    temporal_range=18,  # frames, T
    window=dict(type='RepeatedFrameWindow'),
    neck=dict(type='RelationAggregator', advanced=False, pixel_offset=1.0),  # pixels
    support_sampler=dict(type='SelectiveSupportSampler', num_support=75),
)
