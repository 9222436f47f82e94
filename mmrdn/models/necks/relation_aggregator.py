# Copyright (c) mmrdn contributors. All rights reserved.
"""Relation distillation: paper section 3.3, Eq. 3-7.

Legend: N reference proposals, M proposals of the supportive pool, A advanced supports, C channels.

Deviations from the paper, off by default: ``advanced_transform=True`` puts one fc + ReLU behind Eq.
6, as public re-implementations do.
"""

from collections.abc import Callable

import torch.nn as nn
from mmengine.model import BaseModule, ModuleList
from torch import Tensor

from mmrdn.models.necks.object_relation_module import ObjectRelationModule
from mmrdn.models.necks.relation_chain import relate_in_turn
from mmrdn.registry import MODELS


class _LinearReLU(nn.Linear):
    """A fully connected layer and ReLU, with the layer's parameter names."""

    def forward(self, feats: Tensor) -> Tensor:
        return super().forward(feats).relu()


@MODELS.register_module()
class RelationAggregator(BaseModule):
    """Basic and advanced stage of RDN.

    Args:
        in_channels (int): C.
        num_heads (int): Relation features of each module (the paper's M).
        num_basic (int): N_b, relation modules of the basic stage. With 0 and ``advanced=False``
            features pass unchanged (Table 5, N_b = 0).
        advanced (bool): Whether there is an advanced stage.
        advanced_transform (bool): fc + ReLU behind Eq. 6.
        relation (dict, optional): Config of the relation module; by default an
            :class:`ObjectRelationModule`. ``embed_dims`` and ``num_heads`` are filled in.
        pixel_offset (float): Of the default relation module, in pixels.
        init_cfg (dict, optional): Initialization; by default the fcs are initialized as mmdet's
            shared fcs are, relation modules as
            :class:`ObjectRelationModule` says.
    """

    def __init__(
        self,
        in_channels: int = 1024,
        num_heads: int = 16,
        num_basic: int = 2,
        advanced: bool = True,
        advanced_transform: bool = False,
        relation: dict | None = None,
        pixel_offset: float = 0.0,
        init_cfg: dict | None = None,
    ) -> None:
        if num_basic < 0:
            raise ValueError(f'num_basic must be 0 or more, got {num_basic}')
        if advanced_transform and not advanced:
            raise ValueError('advanced_transform=True needs advanced=True')
        super().__init__(init_cfg)
        if init_cfg is None:
            fcs = ['basic_transforms'] if num_basic > 1 else []
            fcs += ['support_transform'] if advanced_transform else []
            self.init_cfg = (
                [dict(type='Xavier', distribution='uniform', override=[dict(name=name) for name in fcs])]
                if fcs
                else None
            )
        if relation is None:
            relation = dict(type='mmrdn.ObjectRelationModule', pixel_offset=pixel_offset)
        relation = dict(relation, embed_dims=in_channels, num_heads=num_heads)
        self.in_channels = in_channels
        self.num_basic = num_basic
        self.advanced = advanced
        self.advanced_transform = advanced_transform
        # mmengine's list: torch's would hide the modules from init_weights.
        self.basic = ModuleList(MODELS.build(relation) for _ in range(num_basic))
        self.basic_transforms = nn.ModuleList(nn.Linear(in_channels, in_channels) for _ in range(num_basic - 1))
        self.relu = nn.ReLU()
        if advanced:
            self.support_relation = MODELS.build(relation)
            if advanced_transform:
                self.support_transform = _LinearReLU(in_channels, in_channels)
            self.reference_relation = MODELS.build(relation)

    def forward(
        self,
        feats: Tensor,
        boxes: Tensor,
        support_feats: Tensor,
        support_boxes: Tensor,
        advanced_inds: Tensor | None = None,
        return_weights: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Distill the relations of the pool into the reference proposals.

        Args:
            feats (Tensor): (N, C) features of the reference proposals, R^r.
            boxes (Tensor): (N, 4) their boxes, xyxy in pixels.
            support_feats (Tensor): (M, C) features of the pool, R^s.
            support_boxes (Tensor): (M, 4) their boxes.
            advanced_inds (Tensor, optional): (A,) indices into the pool of the advanced supports,
                R^sa; the whole pool if not given.
            return_weights (bool): Whether to return omega-bar too.

        Returns:
            Tensor or tuple[Tensor, Tensor]: (N, C), R^r2 (R^r1 without the
            advanced stage), and (N, M), the relation weights of the last module of the basic stage
            averaged over heads (section 3.4).
        """
        weights = None
        if return_weights and not self.num_basic:
            raise ValueError('return_weights needs num_basic >= 1: relation weights are those of the last basic module')
        if self.num_basic:
            stage = self._shared_basic_stage if self.shares_geometry else self._basic_stage
            feats, weights = stage(feats, boxes, support_feats, support_boxes, return_weights)
        if self.advanced:
            feats = self._advanced_stage(feats, boxes, support_feats, support_boxes, advanced_inds)
        return (feats, weights) if return_weights else feats

    @property
    def shares_geometry(self) -> bool:
        """bool: Whether there are modules, all :class:`ObjectRelationModule`.

        Then those of the basic stage share one encoding of the boxes, and a
        :class:`RelationMemory` can keep what the modules compute.
        """
        modules = self.modules_in_order()
        return bool(modules) and all(type(module).forward is ObjectRelationModule.forward for module in modules)

    def modules_in_order(self) -> list[nn.Module]:
        """The relation modules: Eq. 3-4, Eq. 6, Eq. 7."""
        modules = list(self.basic)
        if self.advanced:
            modules += [self.support_relation, self.reference_relation]
        return modules

    def between(self) -> list[Callable[[Tensor], Tensor]]:
        """h of Eq. 4, between the modules of the basic stage."""
        return [nn.Sequential(fc, self.relu) for fc in self.basic_transforms]

    def _basic_stage(
        self, feats: Tensor, boxes: Tensor, support_feats: Tensor, support_boxes: Tensor, return_weights: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Eq. 3-4 with any module: R^r1 (N, C), and omega-bar (N, M)."""
        supports = (support_feats, support_boxes)
        for relation, transform in zip(self.basic, self.between()):
            feats = transform(relation(feats, boxes, *supports))
        if return_weights:
            return self.basic[-1](feats, boxes, *supports, return_weights=True)
        return self.basic[-1](feats, boxes, *supports), None

    def _shared_basic_stage(
        self, feats: Tensor, boxes: Tensor, support_feats: Tensor, support_boxes: Tensor, return_weights: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Eq. 3-4 with one encoding of the boxes for all modules."""
        first = self.basic[0]
        first.check(feats, boxes, 'feats', 'boxes')
        first.check(support_feats, support_boxes, 'support_feats', 'support_boxes')
        terms = first.box_terms(support_boxes)
        supports = [m.project(support_feats, terms) for m in self.basic]
        return relate_in_turn(self.basic, supports, feats, first.box_terms(boxes), return_weights, self.between())

    def _advanced_stage(
        self, feats: Tensor, boxes: Tensor, support_feats: Tensor, support_boxes: Tensor, advanced_inds: Tensor | None
    ) -> Tensor:
        """Eq. 5-7: R^r2 (N, C) from R^r1 (N, C)."""
        advanced_feats, advanced_boxes = support_feats, support_boxes
        if advanced_inds is not None:
            advanced_feats = support_feats[advanced_inds]  # (A, C)
            advanced_boxes = support_boxes[advanced_inds]  # (A, 4)
        advanced_feats = self.support_relation(
            advanced_feats, advanced_boxes, support_feats, support_boxes
        )  # Eq. 6: (A, C)
        if self.advanced_transform:
            advanced_feats = self.support_transform(advanced_feats)
        return self.reference_relation(feats, boxes, advanced_feats, advanced_boxes)  # Eq. 7: (N, C)
