# RDN on DAVIS, in one phase.
_base_ = './single-frame_faster-rcnn_mobilenet-v2_1xb4-800_davis.py'
model = dict(
    temporal_range=12,  # frames, T
    neck=dict(type='RelationAggregator', in_channels=256),
    support_sampler=dict(type='SelectiveSupportSampler', num_support=16),  # K
    recorders=[dict(type='NextFrameRelations')],  # for box linking afterwards
)
train_dataloader = dict(dataset=dict(ref_img_sampler=dict(num_ref_imgs=2, frame_range=12)))
