# ResNet-50 with conv5 reduced to 256 channels: both stages. MEGA publishes no
# such weights.
_base_ = ['./rdn_faster-rcnn_r101-caffe-c4_4xb1-60k_imagenetvid.py', '../_base_/models/r50-caffe-c4.py']
model = dict(detector=_base_.pop('r50_caffe_c4'))
load_from = 'work_dirs/rdn-basic_faster-rcnn_r50-caffe-c4_4xb1-120k_imagenetvid/iter_120000.pth'
