# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.structures.frame import Frame
from mmrdn.structures.frame_annotations import FrameAnnotations
from mmrdn.structures.frame_detections import FrameDetections
from mmrdn.structures.recorded import NextFrameWeights, SupportWeights

__all__ = ['Frame', 'FrameAnnotations', 'FrameDetections', 'NextFrameWeights', 'SupportWeights']
