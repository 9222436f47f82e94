# The small Faster R-CNN of moving digits for mmtrack's video detectors. They
# take one image at a time: batch norm would learn from frames of one video,
# which costs SELSA 10 points of mAP50.
_base_ = './faster-rcnn_r18-s8_movingdigits.py'
_base_.model.detector.backbone.norm_cfg = dict(type='GN', num_groups=8, requires_grad=True)
model = dict(_delete_=True, data_preprocessor=_base_.model.data_preprocessor, detector=_base_.model.detector)
