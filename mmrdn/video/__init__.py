# Copyright (c) mmrdn contributors. All rights reserved.
from .frame import Frame
from .frame_buffer import FrameBuffer
from .frame_detections import FrameDetections
from .prefetch import prefetch
from .sources import (BaseSource, ImageFolderSource, LiveSource, RawSource,
                      VideoFileSource, open_source)
from .writers import (BaseWriter, CocoVidWriter, ImageFolderWriter,
                      JsonLinesWriter, MotWriter, StdoutWriter, VideoWriter)

__all__ = [
    'BaseSource', 'BaseWriter', 'CocoVidWriter', 'Frame', 'FrameBuffer',
    'FrameDetections', 'ImageFolderSource', 'ImageFolderWriter',
    'JsonLinesWriter', 'LiveSource', 'MotWriter', 'RawSource', 'StdoutWriter',
    'VideoFileSource', 'VideoWriter', 'open_source', 'prefetch'
]
