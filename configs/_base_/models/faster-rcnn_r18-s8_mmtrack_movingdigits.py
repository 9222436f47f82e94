# The small Faster R-CNN of moving digits for mmtrack's video detectors.
_base_ = './faster-rcnn_r18-s8_movingdigits.py'
model = dict(
    _delete_=True,
    data_preprocessor=_base_.model.data_preprocessor,
    detector=_base_.model.detector)
