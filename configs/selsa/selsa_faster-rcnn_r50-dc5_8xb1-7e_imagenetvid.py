# mmtrack's SELSA, ResNet-50, with our DET file and metric.
_base_ = [
    'mmtrack::vid/selsa/selsa_faster-rcnn_r50-dc5_8xb1-7e_imagenetvid.py',
    '../_base_/datasets/imagenet_vid_mmtrack.py',
]
model = dict(type='mmrdn.SELSA')
_base_.train_dataloader.dataset.datasets[1].ann_file = _base_.det_ann_file
val_evaluator = dict(_delete_=True, **_base_.vid_metric)
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='vid/mAP50'))
