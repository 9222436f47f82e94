# Copyright (c) mmrdn contributors. All rights reserved.
import torch
from mmengine.config import ConfigDict

from mmrdn.registry import MODELS
from mmrdn.setup_env import register_all_modules

# 9 and 5 pixels wide, 9 high: IoU 5 / 9 with the last pixel, 4 / 8 without.
ROIS = torch.tensor([[0.0, 0.0, 0.0, 8.0, 8.0], [0.0, 0.0, 0.0, 4.0, 8.0]])
TEST_CFG = ConfigDict(score_thr=0.1, nms=dict(type='nms', iou_threshold=0.52, offset=1), max_per_img=10)


def predict(kind, rois, scale):
    register_all_modules()
    head = MODELS.build(
        dict(
            _scope_='mmdet',
            type=f'mmrdn.{kind}',
            in_channels=1,
            fc_out_channels=4,
            num_classes=1,
            reg_class_agnostic=True,
        )
    )
    return head.predict_by_feat(
        rois=(rois,),
        cls_scores=(torch.tensor([[2.0, 0.0], [1.0, 0.0]])[: len(rois)],),
        bbox_preds=(torch.zeros(len(rois), 4),),
        batch_img_metas=[dict(img_shape=(50, 50), scale_factor=(scale, scale))],
        rcnn_test_cfg=TEST_CFG,
        rescale=True,
    )[0]


def test_suppression_in_pixels_of_the_input():
    """The frame is 100 times as large: there a pixel more is nothing."""
    found = predict('InputScaleBBoxHead', ROIS, 0.01)
    torch.testing.assert_close(found.bboxes, torch.tensor([[0.0, 0.0, 800.0, 800.0]]))
    assert found.proposal_inds.tolist() == [0]
    assert len(predict('RDNBBoxHead', ROIS, 0.01)) == 2
    # In a frame of the input's size both do the same.
    assert len(predict('InputScaleBBoxHead', ROIS, 1.0)) == 1
    assert len(predict('RDNBBoxHead', ROIS, 1.0)) == 1


def test_no_proposals():
    found = predict('InputScaleBBoxHead', ROIS[:0], 0.5)
    assert found.bboxes.shape == (0, 4) and len(found.proposal_inds) == 0
