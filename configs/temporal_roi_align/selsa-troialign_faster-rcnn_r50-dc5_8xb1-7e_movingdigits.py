# mmtrack's Temporal RoI Align, ResNet-50, from scratch on moving digits.
_base_ = [
    'mmtrack::vid/temporal_roi_align/selsa-troialign_faster-rcnn_r50-dc5_8xb1-7e_imagenetvid.py',
    '../_base_/datasets/moving_digits_mmtrack.py',
]
model = dict(type='mmrdn.SELSA', detector=_base_.digits_detector)
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        **_base_.digits_train,
        ref_img_sampler=_base_.train_dataloader.dataset.datasets[0].ref_img_sampler,
    )
)
val_dataloader = _base_.digits_test_dataloader
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, **_base_.digits_metric)
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='vid/mAP50'))
