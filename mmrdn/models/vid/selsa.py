# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Sequence

from mmtrack.models import SELSA as _SELSA
from torch import Tensor

from mmrdn.models.vid.freezable_mixin import FreezableMixin
from mmrdn.registry import MODELS


@MODELS.register_module()
class SELSA(FreezableMixin, _SELSA):
    """mmtrack's SELSA with a test at a fixed stride that works.

    mmtrack's own takes the meta information of the first support frame (its ``ref_img``) for that
    of all, and fails. And with a stride beyond 1 it writes the features of a frame in between over
    those kept of the support frame before it. All else is mmtrack's: training, and testing with an
    adaptive stride.
    """

    def extract_feats(
        self, img: Tensor, img_metas: dict, ref_img: Tensor | None, ref_img_metas: Sequence[dict] | None
    ) -> tuple:
        """Return the feature maps of a key frame that is tested and of its support frames.

        Args:
            img (Tensor): (1, 3, H, W), the key frame.
            img_metas (dict): Meta information of the key frame; ``frame_stride`` of 1 or more says
                that support frames come at a fixed stride.
            ref_img (Tensor, optional): (R, 3, H, W), new support frames.
            ref_img_metas (Sequence[dict], optional): Meta information of the R support frames.

        Returns:
            tuple: Feature maps and meta information of the key frame, those of
            all its support frames.
        """
        inputs = (img, img_metas, ref_img)
        if img_metas.get('frame_stride', -1) < 1:
            return super().extract_feats(*inputs, ref_img_metas)
        if ref_img_metas is not None:  # mmtrack reads those of one sample
            return super().extract_feats(*inputs, [ref_img_metas])
        kept, self.memo.feats = self.memo.feats, [feats.clone() for feats in self.memo.feats]
        outputs = super().extract_feats(*inputs, None)
        self.memo.feats = kept
        return outputs
