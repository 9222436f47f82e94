# Copyright (c) mmrdn contributors. All rights reserved.
"""Parameters and FLOPs of a detector, by MMEngine's counter.

The figures are those of one frame of RDN in the middle of a long video: backbone, RPN, RoI features
of N proposals, relation to a full pool of 2T + 1 frames with K supports each (Eq. 3-7, nothing kept
from earlier frames), classification and regression.

The counter counts a multiplication with its addition as one, and knows convolutions, matrix
products, normalization and up-sampling. It does not know RoIAlign, NMS, activations, and the sines
of Eq. 1's geometry.
"""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn as nn
from mmengine.analysis import FlopAnalyzer, parameter_count
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.structures import InstanceData
from torch import Tensor

from mmrdn.apis.model_loading import build_model
from mmrdn.inference.frame_pipeline import FramePipeline
from mmrdn.models import RDN, RelationMemory
from mmrdn.models.roi_heads import FrameMaps
from mmrdn.utils.dataset_configs import leaf_datasets

FRAME_SIZE = (1280, 720)  # width, height, pixels; as most of ImageNet VID


class Complexity(NamedTuple):
    """Cost of a detector; None where it is not counted."""

    parameters: int  # those that are frozen included
    flops: int | None = None  # of a frame
    input_size: tuple[int, int] | None = None  # width, height, pixels
    pool_frames: int | None = None  # 2T + 1; 0 without relation


def count_complexity(cfg: Config, frame_size: tuple[int, int] = FRAME_SIZE) -> Complexity:
    """Count parameters, and for RDN the FLOPs of a frame.

    Args:
        cfg (Config): Config whose test pipeline and data preprocessor make the network's input.
        frame_size (tuple[int, int]): Width and height of a frame of the video, pixels.

    Returns:
        Complexity: Cost of the detector; parameters alone where it is not RDN.

    Raises:
        ValueError: The pipeline cannot take such a frame.
    """
    model = build_model(cfg).eval()
    parameters = parameter_count(model)['']
    if not isinstance(model, RDN):
        return Complexity(parameters)
    width, height = frame_size
    if min(frame_size) < 1:
        raise ValueError(f'the size of a frame must be positive, got {width}x{height}')
    pipeline = FramePipeline(leaf_datasets(cfg.test_dataloader.dataset)[0].pipeline, cfg.get('default_scope'))
    blank = np.zeros((height, width, 3), np.uint8)
    data = model.data_preprocessor(pseudo_collate([pipeline(blank, 0, 'a frame')]), False)
    image = data['inputs']['img'].flatten(0, 1)  # (1, 3, H, W)
    pool_frames = 0 if model.neck is None else 2 * model.temporal_range + 1
    counter = FlopAnalyzer(_OneFrame(model, data['data_samples'], pool_frames), image)
    counter.unsupported_ops_warnings(False)
    counter.uncalled_modules_warnings(False)
    counter.tracer_warnings('none')
    with torch.enable_grad():  # else the pool computes incrementally
        flops = int(counter.total())
    return Complexity(parameters, flops, tuple(image.shape[:1:-1]), pool_frames)


class _OneFrame(nn.Module):
    """The counted part of RDN for one frame, with random proposals."""

    def __init__(self, model: RDN, data_samples: list, pool_frames: int) -> None:
        super().__init__()
        self.model = model
        self.data_samples = data_samples
        self.pool_frames = pool_frames
        num = model.detector.test_cfg.rpn.max_per_img  # N
        corners = torch.rand(num, 2, generator=torch.Generator())
        self.proposals = InstanceData(
            bboxes=torch.cat([corners, corners + 1], 1) * 32,  # pixels
            scores=torch.linspace(1, 0, num),
        )

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Raw predictions of RPN and RoI head for an image (1, 3, H, W)."""
        model = self.model
        rpn_x, roi_x = model.feature_maps(image)
        rpn_outs = model.detector.rpn_head(rpn_x)
        head = model.detector.roi_head
        x = FrameMaps(roi_x, seen=model.seen_maps(roi_x, [0]))
        (frame,) = head.frames(x, [self.proposals], self.data_samples)
        feats = frame.feats
        if self.pool_frames:
            memory = RelationMemory(model.neck, model.support_sampler, self.pool_frames)
            for _ in range(self.pool_frames):
                memory.append(feats, frame.boxes, frame.scores)
            feats = memory.aggregate(feats, frame.boxes)
        outs = head.relation_head(feats)
        return (*(x for level in rpn_outs for x in level), *outs)
