# Copyright (c) mmrdn contributors. All rights reserved.
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mmrdn.inference.stream_run import check_image
from mmrdn_runtime.resizing import RESIZES


@dataclass(frozen=True)
class FramePreprocessor:
    """Resize, normalize and pad a frame, as the test pipeline and mmtrack's preprocessor do.

    Attributes:
        scale (list[int]): Lengths of sides that the resize transform is given, pixels.
        mean (list[float], optional): Gray levels that are subtracted, by channel; none if None.
        std (list[float], optional): Gray levels to divide by.
        bgr_to_rgb (bool): Whether the network sees red first.
        pad_size_divisor (int): Sides of the padded image are multiples of it, pixels.
        pad_value (float): Value of the padding.
        resize (str): Name of the resize transform, see :data:`RESIZES`.
    """

    scale: list[int]
    mean: list[float] | None
    std: list[float] | None
    bgr_to_rgb: bool
    pad_size_divisor: int
    pad_value: float
    resize: str = 'keep_ratio'

    @cached_property
    def _values(self) -> np.ndarray:
        """np.ndarray: (3, 256) what each gray level becomes, by channel of the input."""
        levels = np.tile(np.arange(256, dtype=np.float32), (3, 1))
        if self.mean is None or self.std is None:
            return levels
        return (levels - np.float32(self.mean)[:, None]) / np.float32(self.std)[:, None]

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
        check_image(image, name)
        height, width = image.shape[:2]
        resized = RESIZES[self.resize](image, self.scale)
        if resized is None:
            raise ValueError(f'{name}, {width}x{height}: nothing is left of it at the scale {tuple(self.scale)}')
        new_height, new_width = resized.shape[:2]
        divisor = self.pad_size_divisor
        padded = (-(-new_height // divisor) * divisor, -(-new_width // divisor) * divisor)
        out = np.full((1, 3, *padded), self.pad_value, np.float32)
        planes = resized.transpose(2, 0, 1)[:: -1 if self.bgr_to_rgb else 1]
        for plane, values, part in zip(planes, self._values, out[0]):
            part[:new_height, :new_width] = values[plane]
        return out, (new_height, new_width), np.float32([new_width / width, new_height / height] * 2)
