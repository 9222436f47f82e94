# DAVIS 2016 (Perazzi et al., CVPR 2016) at 427x240 as boxes of one class, see
# docs/real_videos.md, as single frames: children that relate frames set ref_img_sampler.
_base_ = './own_videos.py'
data_root = 'data/davis/'
scale = dict(scale=(432, 240))
_base_.train_dataloader.dataset.pipeline[0].transforms[2].update(scale)
_base_.val_dataloader.dataset.pipeline[1].update(scale)
data = dict(data_root=data_root, data_prefix=dict(img_path='frames'), metainfo=dict(classes=('object',)))
# Decoding takes little beside a training on a CPU: no workers.
train_dataloader = dict(
    batch_size=4,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(ann_file='train.json', ref_img_sampler=dict(num_ref_imgs=0, frame_range=0), **data),
)
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(ann_file='val.json', pipeline=_base_.val_dataloader.dataset.pipeline, **data),
)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + 'val.json')
test_evaluator = val_evaluator
