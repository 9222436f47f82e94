# RDN on MobileNetV2 with ImageNet weights: fine-tunes on a CPU.
_base_ = ['../models/faster-rcnn_mobilenet-v2-s16.py', './small_relation.py']
model = dict(**_base_.small_relation)
