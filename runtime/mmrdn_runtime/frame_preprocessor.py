# Copyright (c) mmrdn contributors. All rights reserved.
from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class FramePreprocessor:
    """Resize, normalize and pad a frame, as mmdet's ``Resize`` and mmtrack's preprocessor do.

    Attributes:
        scale (list[int]): The longer and the shorter side are no longer than these, pixels.
        mean (list[float], optional): Grey levels that are subtracted, by channel; none if None.
        std (list[float], optional): Grey levels to divide by.
        bgr_to_rgb (bool): Whether the network sees red first.
        pad_size_divisor (int): Sides of the padded image are multiples of it, pixels.
        pad_value (float): Value of the padding.
    """

    scale: list[int]
    mean: list[float] | None
    std: list[float] | None
    bgr_to_rgb: bool
    pad_size_divisor: int
    pad_value: float

    def __call__(self, image: np.ndarray, name: str) -> tuple[np.ndarray, tuple[int, int], np.ndarray]:
        """Prepare a frame.

        Args:
            image (np.ndarray): (H, W, 3) uint8 BGR.
            name (str): Name of the frame in messages.

        Returns:
            tuple: (1, 3, H', W') float32; height and width without padding, pixels; (4,) factors
            from pixels of the frame to those of the network's input.

        Raises:
            ValueError: The image is no such array.
        """
        if not isinstance(image, np.ndarray):
            raise ValueError(f'{name} must be a (H, W, 3) uint8 array, got a {type(image).__name__}')
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise ValueError(f'{name} must be (H, W, 3) uint8 with H, W >= 1, got {image.shape} {image.dtype}')
        height, width = image.shape[:2]
        factor = min(max(self.scale) / max(height, width), min(self.scale) / min(height, width))
        new_width, new_height = int(width * factor + 0.5), int(height * factor + 0.5)
        if not new_width or not new_height:
            raise ValueError(f'{name}, {width}x{height}: nothing is left of it at the scale {tuple(self.scale)}')
        resized = cv2.resize(image, (new_width, new_height), interpolation=cv2.INTER_LINEAR)
        if self.bgr_to_rgb:
            resized = resized[..., ::-1]
        pixels = resized.astype(np.float32)
        if self.mean is not None and self.std is not None:
            pixels = (pixels - np.float32(self.mean)) / np.float32(self.std)
        divisor = self.pad_size_divisor
        padded = (-(-new_height // divisor) * divisor, -(-new_width // divisor) * divisor)
        out = np.full((1, 3, *padded), self.pad_value, np.float32)
        out[0, :, :new_height, :new_width] = pixels.transpose(2, 0, 1)
        return out, (new_height, new_width), np.float32([new_width / width, new_height / height] * 2)
