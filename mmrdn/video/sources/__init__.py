# Copyright (c) mmrdn contributors. All rights reserved.
from .base_source import BaseSource
from .image_folder_source import ImageFolderSource
from .live_source import LiveSource
from .open_source import open_source
from .raw_source import RawSource
from .video_file_source import VideoFileSource

__all__ = [
    'BaseSource', 'ImageFolderSource', 'LiveSource', 'RawSource',
    'VideoFileSource', 'open_source'
]
