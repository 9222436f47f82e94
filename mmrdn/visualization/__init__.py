# Copyright (c) mmrdn contributors. All rights reserved.
from .boxes import draw_boxes, put_label
from .colors import class_color
from .panels import titled_panels
from .vid_visualizer import VIDVisualizer

__all__ = [
    'VIDVisualizer', 'class_color', 'draw_boxes', 'put_label', 'titled_panels'
]
