# ResNet-50 with conv5 reduced to 256 channels: the basic stage.
_base_ = './rdn-basic_faster-rcnn_r101-caffe-c4_4xb1-120k_imagenetvid.py'
model = dict(
    detector=dict(
        backbone=dict(depth=50, init_cfg=dict(checkpoint='open-mmlab://detectron2/resnet50_caffe')),
        neck=dict(type='mmrdn.LastMapReducer', in_channels=2048, out_channels=256),
        roi_head=dict(bbox_roi_extractor=dict(out_channels=256), bbox_head=dict(in_channels=256)),
    )
)
