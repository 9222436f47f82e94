# Copyright (c) mmrdn contributors. All rights reserved.

from mmdet.datasets.transforms import Resize

from mmrdn.registry import TRANSFORMS
from mmrdn.utils.shorter_side import shorter_side_size


@TRANSFORMS.register_module()
class ShorterSideResize(Resize):
    """Bring the shorter side to a length, as torchvision and Pillow do it.

    Where ``mmdet.Resize`` with ``keep_ratio`` rounds both sides to the nearest pixel, here the
    shorter one is exact and the longer one is cut down: 1280 x 720 pixels become 999 x 562 instead
    of 1000 x 563. Pillow's bilinear interpolation averages over the pixels that fall together;
    OpenCV's skips them.

    Args:
        shorter (int): Length of the shorter side, pixels.
        longest (int): The longer side is no longer than this, pixels; then the shorter one is
            rounded.
    """

    def __init__(self, shorter: int, longest: int) -> None:
        for name, value in (('shorter', shorter), ('longest', longest)):
            if value < 1:
                raise ValueError(f'{name} must be 1 pixel or more, got {value}')
        super().__init__(scale=(longest, shorter), backend='pillow')
        self.shorter = shorter
        self.longest = longest

    def new_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height, in pixels, that an image gets."""
        return shorter_side_size(width, height, self.shorter, self.longest)

    def _resize_img(self, results: dict) -> None:
        """mmcv's hook: the size depends on the image."""
        height, width = results['img'].shape[:2]
        results['scale'] = self.new_size(width, height)
        super()._resize_img(results)
