# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.visualization.canvas import class_color, put_label, titled_panels
from mmrdn.visualization.frame_drawer import FrameDrawer

__all__ = ['FrameDrawer', 'class_color', 'put_label', 'titled_panels']
