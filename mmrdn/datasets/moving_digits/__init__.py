# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.datasets.moving_digits.config import MovingDigitsConfig
from mmrdn.datasets.moving_digits.generation import load_split_digits, load_split_photos, make_moving_digits, make_scene

__all__ = ['MovingDigitsConfig', 'load_split_digits', 'load_split_photos', 'make_moving_digits', 'make_scene']
