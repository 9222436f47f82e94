# RDN on Swin-T with FPN: phase 1, the basic stage only.
_base_ = [
    '../_base_/models/faster-rcnn_swin-t-fpn_imagenetvid.py',
    '../_base_/datasets/imagenet_vid.py',
    '../_base_/schedules/adamw_120k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    temporal_range=18,  # frames, T
    neck=dict(type='RelationAggregator', advanced=False),
    support_sampler=dict(type='SelectiveSupportSampler', num_support=75),
)  # K

# Two support frames in [-T, T]; a still image of DET supports itself.
_base_.train_dataloader.dataset.datasets[0].ref_img_sampler.update(num_ref_imgs=2, frame_range=18)
_base_.train_dataloader.dataset.datasets[1].ref_img_sampler.update(num_ref_imgs=2)
