# Copyright (c) mmrdn contributors. All rights reserved.
from mmdet.structures.bbox import scale_boxes
from mmengine.structures import InstanceData

from mmrdn.models.roi_heads.bbox_heads.rdn_bbox_head import RDNBBoxHead
from mmrdn.registry import MODELS


@MODELS.register_module()
class InputScaleBBoxHead(RDNBBoxHead):
    """A box head that suppresses boxes in the pixels of the network's input.

    mmdet brings boxes to the original frame first. That is the same unless a box includes its last
    pixel (``nms=dict(offset=1)``): then IoU depends on the size of a pixel.
    """

    def _predict_by_feat_single(self, *, img_meta: dict, rescale: bool = False, **inputs) -> InstanceData:
        """Override mmdet's hook; see :class:`RDNBBoxHead`."""
        results = super()._predict_by_feat_single(img_meta=img_meta, **inputs)
        if rescale and results.bboxes.numel():
            results.bboxes = scale_boxes(results.bboxes, [1 / s for s in img_meta['scale_factor']])
        return results
