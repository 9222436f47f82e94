# The Faster R-CNN of moving digits on MobileNetV2 with ImageNet weights, stride
# 16: small enough to fine-tune on a CPU.
_base_ = './faster-rcnn_r18-s8_movingdigits.py'
custom_imports = dict(imports=['mmrdn.model_converters.mobilenet_v2'])  # reads mmrdn://mobilenet_v2
# As norm_eval=True allows; the same up to rounding.
efficient_conv_bn_eval = ['detector.backbone']
stride = 16  # pixels
model = dict(
    detector=dict(
        backbone=dict(
            _delete_=True,
            type='MobileNetV2',
            out_indices=(4,),
            frozen_stages=1,
            norm_eval=True,
            init_cfg=dict(type='Pretrained', checkpoint='mmrdn://mobilenet_v2'),
        ),
        neck=dict(in_channels=[96]),
        rpn_head=dict(anchor_generator=dict(scales=[2, 4, 8], ratios=[0.5, 1.0, 2.0], strides=[stride])),
        roi_head=dict(bbox_roi_extractor=dict(featmap_strides=[stride])),
    )
)
