# Copyright (c) mmrdn contributors. All rights reserved.

from mmdet.structures.bbox import scale_boxes
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor

from mmrdn.models.roi_heads.bbox_heads.rdn_bbox_head import RDNBBoxHead
from mmrdn.registry import MODELS


@MODELS.register_module()
class InputScaleBBoxHead(RDNBBoxHead):
    """A box head that suppresses boxes in the pixels of the network's input.

    mmdet brings boxes to the original frame first. That is the same unless a box includes its last
    pixel (``nms=dict(offset=1)``): then IoU depends on the size of a pixel.
    """

    def _predict_by_feat_single(
        self,
        roi: Tensor,
        cls_score: Tensor,
        bbox_pred: Tensor,
        img_meta: dict,
        rescale: bool = False,
        rcnn_test_cfg: ConfigDict | None = None,
    ) -> InstanceData:
        """Override mmdet's hook; see :class:`RDNBBoxHead`."""
        results = super()._predict_by_feat_single(roi, cls_score, bbox_pred, img_meta, False, rcnn_test_cfg)
        if rescale and results.bboxes.numel():
            results.bboxes = scale_boxes(results.bboxes, [1 / s for s in img_meta['scale_factor']])
        return results
