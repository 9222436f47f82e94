# Copyright (c) mmrdn contributors. All rights reserved.
from .panels import (class_color, draw_boxes, put_label, titled_panels,
                     write_video)

__all__ = [
    'class_color', 'draw_boxes', 'put_label', 'titled_panels', 'write_video'
]
