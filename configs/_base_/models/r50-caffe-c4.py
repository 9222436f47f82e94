# ResNet-50 with conv5 reduced to 256 channels for children of configs with the
# ResNet-101 of MEGA, under a name of its own: MMEngine lets no two bases have
# the same one.
r50_caffe_c4 = dict(
    backbone=dict(depth=50, init_cfg=dict(checkpoint='open-mmlab://detectron2/resnet50_caffe')),
    neck=dict(type='mmrdn.LastMapReducer', in_channels=2048, out_channels=256),
    roi_head=dict(bbox_roi_extractor=dict(out_channels=256), bbox_head=dict(in_channels=256)),
)
