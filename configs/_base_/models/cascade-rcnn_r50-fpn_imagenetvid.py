# Single-frame Cascade R-CNN (Cai and Vasconcelos, CVPR 2018) on ResNet-50
# with FPN; its last stage is the one that relation is part of in RDN.
_base_ = './faster-rcnn_r50-fpn_imagenetvid.py'
# ----------------------------- rarely changed --------------------------------
stages = [  # head, IoU of positives, stds of the box deltas
    ('Shared2FCBBoxHead', 0.5, [0.1, 0.1, 0.2, 0.2]),
    ('Shared2FCBBoxHead', 0.6, [0.05, 0.05, 0.1, 0.1]),
    ('mmrdn.RDNBBoxHead', 0.7, [0.033, 0.033, 0.067, 0.067]),  # relation
]
bbox_head = _base_.model.detector.roi_head.bbox_head
rcnn = _base_.model.detector.train_cfg.rcnn
model = dict(
    detector=dict(
        type='CascadeRCNN',
        roi_head=dict(
            type='mmrdn.RDNCascadeRoIHead',
            num_stages=3,
            stage_loss_weights=[1, 0.5, 0.25],
            bbox_head=[
                dict(
                    bbox_head,
                    type=kind,
                    reg_class_agnostic=True,
                    bbox_coder=dict(bbox_head.bbox_coder, target_stds=stds),
                )
                for kind, _, stds in stages
            ],
        ),
        train_cfg=dict(
            rcnn=[
                dict(rcnn, assigner=dict(rcnn.assigner, pos_iou_thr=iou, neg_iou_thr=iou, min_pos_iou=iou))
                for _, iou, _ in stages
            ]
        ),
    )
)
