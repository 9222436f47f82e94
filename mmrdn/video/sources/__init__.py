# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.video.sources.base_source import BaseSource
from mmrdn.video.sources.image_folder_source import ImageFolderSource
from mmrdn.video.sources.live_source import LiveSource
from mmrdn.video.sources.opening import open_source
from mmrdn.video.sources.raw_source import RawSource
from mmrdn.video.sources.video_file_source import VideoFileSource

__all__ = ['BaseSource', 'ImageFolderSource', 'LiveSource', 'RawSource', 'VideoFileSource', 'open_source']
