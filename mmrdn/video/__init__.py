# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.structures.frame import Frame
from mmrdn.structures.frame_detections import FrameDetections
from mmrdn.video.buffering import FrameBuffer, prefetch
from mmrdn.video.sources import BaseSource, ImageFolderSource, LiveSource, RawSource, VideoFileSource, open_source
from mmrdn.video.writers import (
    BaseWriter,
    CocoVidWriter,
    ImageFolderWriter,
    JsonLinesWriter,
    MotWriter,
    StdoutWriter,
    VideoWriter,
)

__all__ = [
    'BaseSource',
    'BaseWriter',
    'CocoVidWriter',
    'Frame',
    'FrameBuffer',
    'FrameDetections',
    'ImageFolderSource',
    'ImageFolderWriter',
    'JsonLinesWriter',
    'LiveSource',
    'MotWriter',
    'RawSource',
    'StdoutWriter',
    'VideoFileSource',
    'VideoWriter',
    'open_source',
    'prefetch',
]
