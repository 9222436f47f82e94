# Copyright (c) mmrdn contributors. All rights reserved.
from dataclasses import dataclass

import numpy as np

DEGRADATIONS = ('motion_blur', 'defocus', 'occlusion', 'low_contrast')


@dataclass(frozen=True)
class MovingDigitsConfig:
    """Settings of the moving digits videos.

    Ranges are ``(low, high)``; values are drawn from them uniformly. 'x size' means a multiple of
    the height of the digit. A degraded episode picks one of ``degradations`` (and, sometimes, a
    second one) for one digit; it lasts ``degraded_frames`` and is followed by ``clean_frames``.

    Raises:
        ValueError: A setting is out of its range; the message names it.
    """

    seed: int = 0
    height: int = 128  # pixels
    width: int = 160  # pixels
    num_train_videos: int = 800
    train_frames: int = 5  # frames a training video
    num_val_videos: int = 48
    val_frames: int = 20  # frames a validation video
    num_digits: tuple[int, int] = (1, 3)  # digits a video, both included
    size: tuple[float, float] = (28.0, 52.0)  # height of the ink, pixels
    max_tilt: float = 12.0  # degrees, either way
    # Motion. The three paces are equally likely.
    slow_speed: tuple[float, float] = (0.0, 0.25)  # pixels a frame
    medium_speed: tuple[float, float] = (0.5, 1.3)  # pixels a frame
    fast_speed: tuple[float, float] = (2.0, 6.0)  # pixels a frame
    size_change: float = 0.25  # log amplitude at the fast pace
    leave_prob: float = 0.5  # chance that a fast digit leaves and comes back
    min_visible: float = 0.3  # share of the ink in the frame to be annotated
    camera_speed: float = 0.8  # drift of the photograph, pixels a frame
    # Every frame.
    background_contrast: float = 0.6  # 1 is the photograph as it is
    min_contrast: float = 80.0  # digit against background, gray levels
    noise_std: float = 6.0  # sensor noise, gray levels
    exposure: float = 0.6  # share of the time between two frames
    jpeg_quality: int = 95  # 0 to 100
    # Degraded episodes.
    degradations: tuple[str, ...] = DEGRADATIONS
    degraded_frames: tuple[int, int] = (2, 3)  # frames, both included
    clean_frames: tuple[int, int] = (2, 3)  # frames, both included
    second_prob: float = 0.3  # chance of a second degradation
    motion_blur: tuple[float, float] = (0.45, 0.75)  # length, x size
    defocus: tuple[float, float] = (0.12, 0.18)  # Gaussian sigma, x size
    occlusion: tuple[float, float] = (0.65, 0.9)  # side of a patch, x size
    low_contrast: tuple[float, float] = (0.08, 0.15)  # remaining opacity
    decoy_prob: float = 0.3  # chance of a patch that covers no digit

    def __post_init__(self) -> None:
        for name in self.degradations:
            if name not in DEGRADATIONS:
                raise ValueError(f'degradations must be among {DEGRADATIONS}, got {name!r}')
        for name, value in vars(self).items():
            if name != 'degradations' and isinstance(value, tuple) and not 0 <= value[0] <= value[1]:
                raise ValueError(f'{name} must be (low, high) with 0 <= low <= high, got ({value[0]}, {value[1]})')
        least = dict.fromkeys(('seed', 'num_train_videos', 'num_val_videos'), 0)
        least |= dict.fromkeys(('train_frames', 'val_frames', 'num_digits', 'degraded_frames', 'clean_frames'), 1)
        for name, low in least.items():
            value = getattr(self, name)
            if np.min(value) < low:
                raise ValueError(f'{name} must be at least {low}, got {value}')
        if min(self.height, self.width) < 32 or max(self.height, self.width) > 200:
            sizes = f'{self.height} x {self.width}'
            raise ValueError(f'height and width must be 32 to 200 pixels (the photographs hold no more), got {sizes}')
        if not 4 <= self.size[0] <= self.size[1] <= min(self.height, self.width):
            raise ValueError(f'size must lie between 4 pixels and the frame, got {self.size}')
