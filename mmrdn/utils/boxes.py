# Copyright (c) mmrdn contributors. All rights reserved.
import numpy as np


def paired_ious(boxes: np.ndarray, others: np.ndarray, pixel_offset: float = 0) -> np.ndarray:
    """Return the IoU of the i-th box with the i-th other, width = x2 - x1 + pixel_offset.

    Args:
        boxes (np.ndarray): (n, 4) or (1, 4) xyxy in pixels.
        others (np.ndarray): (n, 4) xyxy in pixels, wider and higher than 0.
        pixel_offset (float): 1 for boxes of inclusive pixels.

    Returns:
        np.ndarray: (n,) IoUs in [0, 1].
    """
    inter, area, other_area = 1.0, 1.0, 1.0
    for low, high in ((0, 2), (1, 3)):
        overlap = np.minimum(boxes[:, high], others[:, high]) - np.maximum(boxes[:, low], others[:, low]) + pixel_offset
        inter = inter * np.maximum(overlap, 0)
        area = area * np.maximum(boxes[:, high] - boxes[:, low] + pixel_offset, 0)
        other_area = other_area * (others[:, high] - others[:, low] + pixel_offset)
    return inter / (area + other_area - inter)
