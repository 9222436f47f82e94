# Copyright (c) mmrdn contributors. All rights reserved.
"""One reader for each format; ``READERS`` has them by the names of the command's argument."""

from mmrdn.datasets.converters.readers.base_reader import BaseReader
from mmrdn.datasets.converters.readers.coco import CocoReader
from mmrdn.datasets.converters.readers.cvat_images import CvatImagesReader
from mmrdn.datasets.converters.readers.cvat_video import CvatVideoReader
from mmrdn.datasets.converters.readers.ilsvrc import IlsvrcReader
from mmrdn.datasets.converters.readers.kitti import KittiReader
from mmrdn.datasets.converters.readers.label_studio import LabelStudioReader
from mmrdn.datasets.converters.readers.labelme import LabelmeReader
from mmrdn.datasets.converters.readers.mot import MotReader
from mmrdn.datasets.converters.readers.visdrone import VisdroneReader
from mmrdn.datasets.converters.readers.voc import VocReader
from mmrdn.datasets.converters.readers.yolo import YoloReader
from mmrdn.datasets.converters.readers.ytvis import YtvisReader

READERS: dict[str, type[BaseReader]] = {
    'cvat-video': CvatVideoReader,
    'cvat-images': CvatImagesReader,
    'mot': MotReader,
    'coco': CocoReader,
    'yolo': YoloReader,
    'label-studio': LabelStudioReader,
    'ytvis': YtvisReader,
    'voc': VocReader,
    'ilsvrc': IlsvrcReader,
    'labelme': LabelmeReader,
    'visdrone': VisdroneReader,
    'kitti': KittiReader,
}
