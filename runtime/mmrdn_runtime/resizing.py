# Copyright (c) mmrdn contributors. All rights reserved.
"""The resize transforms of test pipelines."""

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image

from mmrdn.utils.shorter_side import shorter_side_size


def keep_ratio(image: np.ndarray, scale: Sequence[int]) -> np.ndarray | None:
    """Resize as mmdet's ``Resize`` with ``keep_ratio=True`` does; None where nothing is left.

    Args:
        image (np.ndarray): (H, W, 3) uint8.
        scale (Sequence[int]): The longer and the shorter side are no longer than these, pixels.
    """
    height, width = image.shape[:2]
    factor = min(max(scale) / max(height, width), min(scale) / min(height, width))
    new_width, new_height = int(width * factor + 0.5), int(height * factor + 0.5)
    if not new_width or not new_height:
        return None
    return cv2.resize(image, (new_width, new_height), interpolation=cv2.INTER_LINEAR)


def shorter_side(image: np.ndarray, scale: Sequence[int]) -> np.ndarray | None:
    """Resize as ``ShorterSideResize`` does, by Pillow; None where nothing is left.

    Args:
        image (np.ndarray): (H, W, 3) uint8.
        scale (Sequence[int]): ``longest`` and ``shorter``, pixels.
    """
    size = shorter_side_size(image.shape[1], image.shape[0], min(scale), max(scale))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)) if all(size) else None


RESIZES = dict(keep_ratio=keep_ratio, shorter_side=shorter_side)  # by their names in manifest.json
