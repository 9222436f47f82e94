# Copyright (c) mmrdn contributors. All rights reserved.
"""Video object detection with an exported RDN: ONNX Runtime, no torch, no OpenMMLab."""

from mmrdn_runtime.video_detector import VideoDetector

__all__ = ['VideoDetector']
