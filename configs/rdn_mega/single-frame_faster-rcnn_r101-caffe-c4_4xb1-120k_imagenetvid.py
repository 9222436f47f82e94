# MEGA's "single frame baseline": Faster R-CNN with two fcs.
_base_ = [
    '../_base_/models/faster-rcnn_r101-caffe-c4_imagenetvid.py',
    '../_base_/datasets/imagenet_vid_mega_style.py',
    '../_base_/schedules/sgd_120k.py',
    '../_base_/default_runtime.py',
]
model = dict(detector=dict(roi_head=dict(bbox_head=dict(num_shared_fcs=2))))
