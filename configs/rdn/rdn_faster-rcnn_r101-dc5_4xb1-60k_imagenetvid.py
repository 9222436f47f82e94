# Table 3, row 4, and Table 1: the full RDN, phase 2, from phase 1.
# Tables 4 and 7, at test time: --cfg-options model.temporal_range=9 (3 to 24)
# model.support_sampler.advanced_ratio=0.1 (to 1.0)
_base_ = [
    '../_base_/models/faster-rcnn_r101-dc5_imagenetvid.py',
    '../_base_/datasets/imagenet_vid.py',
    '../_base_/schedules/sgd_60k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    temporal_range=18,  # frames, T
    neck=dict(
        type='RelationAggregator',
        in_channels=1024,
        num_heads=16,  # the paper's M
        num_basic=2,  # N_b
    ),
    support_sampler=dict(
        type='SelectiveSupportSampler',
        num_support=75,  # K
        advanced_ratio=0.2,  # r%
    ),
)

load_from = 'work_dirs/rdn-basic_faster-rcnn_r101-dc5_4xb1-120k_imagenetvid/iter_120000.pth'
