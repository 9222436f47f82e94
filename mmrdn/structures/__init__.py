# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.structures.frame import Frame
from mmrdn.structures.frame_detections import FrameDetections
from mmrdn.structures.select_detections import select_detections

__all__ = ['Frame', 'FrameDetections', 'select_detections']
