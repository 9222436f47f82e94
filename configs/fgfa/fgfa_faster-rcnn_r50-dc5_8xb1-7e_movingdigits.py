# mmtrack's FGFA, ResNet-50, from scratch on moving digits.
_base_ = [
    'mmtrack::vid/fgfa/fgfa_faster-rcnn_r50-dc5_8xb1-7e_imagenetvid.py',
    '../_base_/datasets/moving_digits_mmtrack.py',
]
model = dict(
    detector=dict(
        backbone=dict(frozen_stages=-1, norm_eval=False, init_cfg=None), roi_head=dict(bbox_head=dict(num_classes=10))
    ),
    motion=dict(init_cfg=None),
)
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        **_base_.digits_train,
        ref_img_sampler=_base_.train_dataloader.dataset.datasets[0].ref_img_sampler,
    )
)
val_dataloader = dict(dataset=_base_.digits_val)
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, **_base_.digits_metric)
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='vid/mAP50'))
