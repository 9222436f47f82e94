# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.visualization.boxes import draw_boxes, put_label
from mmrdn.visualization.colors import class_color
from mmrdn.visualization.panels import titled_panels
from mmrdn.visualization.vid_visualizer import VIDVisualizer

__all__ = ['VIDVisualizer', 'class_color', 'draw_boxes', 'put_label', 'titled_panels']
