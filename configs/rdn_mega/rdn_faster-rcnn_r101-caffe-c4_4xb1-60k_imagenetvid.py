# MEGA's "RDN": both stages. Advanced supports are the first 15 of each frame's
# 75, fc + ReLU follow Eq. 6, and missing frames at the ends of a video are
# repeated ones. A frame with fewer than 75 proposals gives r% of them: MEGA
# counts on 75, which RPN finds in any picture of that size.
_base_ = [
    '../_base_/models/faster-rcnn_r101-caffe-c4_imagenetvid.py',
    '../_base_/datasets/imagenet_vid_mega_style.py',
    '../_base_/schedules/sgd_60k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    temporal_range=18,  # frames, T
    window=dict(type='RepeatedFrameWindow'),
    neck=dict(type='RelationAggregator', advanced_transform=True, pixel_offset=1.0),  # pixels
    support_sampler=dict(
        type='SelectiveSupportSampler',
        num_support=75,  # K
        advanced_ratio=0.2,  # r%
        advanced_scope='frame',
    ),
)

load_from = 'work_dirs/rdn-basic_faster-rcnn_r101-caffe-c4_4xb1-120k_imagenetvid/iter_120000.pth'
