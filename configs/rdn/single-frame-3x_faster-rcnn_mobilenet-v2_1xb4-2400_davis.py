# Faster R-CNN on as many images of DAVIS as RDN sees: a key frame and two supports.
_base_ = './single-frame_faster-rcnn_mobilenet-v2_1xb4-800_davis.py'
train_cfg = dict(max_iters=2400, val_interval=2400)
