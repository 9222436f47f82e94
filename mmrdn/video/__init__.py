# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.structures.frame import Frame
from mmrdn.structures.frame_detections import FrameDetections
from mmrdn.video.buffering import FrameBuffer, prefetch
from mmrdn.video.sources.base_source import BaseSource
from mmrdn.video.sources.image_folder_source import ImageFolderSource
from mmrdn.video.sources.live_source import LiveSource
from mmrdn.video.sources.opening import open_source
from mmrdn.video.sources.raw_source import RawSource
from mmrdn.video.sources.video_file_source import VideoFileSource
from mmrdn.video.writers.animation_writer import AnimationWriter
from mmrdn.video.writers.base_writer import BaseWriter
from mmrdn.video.writers.coco_vid_writer import CocoVidWriter
from mmrdn.video.writers.image_folder_writer import ImageFolderWriter
from mmrdn.video.writers.json_lines_writer import JsonLinesWriter, StdoutWriter
from mmrdn.video.writers.mot_writer import MotWriter
from mmrdn.video.writers.video_writer import VideoWriter

__all__ = [
    'AnimationWriter',
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
