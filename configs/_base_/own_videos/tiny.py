# RDN on the small ResNet-18 of moving digits, from scratch: trains on a CPU.
_base_ = ['../models/faster-rcnn_r18-s8_movingdigits.py', './small_relation.py']
model = dict(**_base_.small_relation)
