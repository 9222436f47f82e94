# ResNet-50 with conv5 reduced to 256 channels: the basic stage.
_base_ = ['./rdn-basic_faster-rcnn_r101-caffe-c4_4xb1-120k_imagenetvid.py', '../_base_/models/r50-caffe-c4.py']
model = dict(detector=_base_.pop('r50_caffe_c4'))
