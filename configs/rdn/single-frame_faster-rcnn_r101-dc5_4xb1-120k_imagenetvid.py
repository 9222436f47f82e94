# Table 3, row 1: Faster R-CNN on single frames.
_base_ = [
    '../_base_/models/faster-rcnn_r101-dc5_imagenetvid.py',
    '../_base_/datasets/imagenet_vid.py',
    '../_base_/schedules/sgd_120k.py',
    '../_base_/default_runtime.py',
]
