# Copyright (c) mmrdn contributors. All rights reserved.
from dataclasses import dataclass


@dataclass(frozen=True)
class ConfigBase:
    """A config to start from and the bounds of suggestions for it.

    Attributes:
        path (str): Name of the config.
        stride (int): Pixels of the image to one of the feature map.
        longest (int): Longest side of a scaled image, pixels.
        shortest (int): Longest that its other side becomes, pixels.
        enlarge (float): Largest factor by which images are scaled.
        max_range (int): Largest T, frames.
        num_support (int): K where frames hold few objects.
        num_proposals (int): Proposals of a frame.
        batch (int): Images of an iteration.
        lr (float): Learning rate, for ``lr_batch`` images an iteration.
        lr_batch (int): Likewise.
        adaptive (bool): Whether it is AdamW's, which goes with the root of the batch, not SGD's.
        epochs (float): Times that a frame is seen.
        iterations (tuple[int, int]): Fewest and most.
    """

    path: str
    stride: int
    longest: int
    shortest: int
    enlarge: float
    max_range: int
    num_support: int
    num_proposals: int
    batch: int
    lr: float
    lr_batch: int
    adaptive: bool
    epochs: float
    iterations: tuple[int, int]


_BASES = 'mmrdn::_base_/own_videos'
BASES = {
    'tiny': ConfigBase(f'{_BASES}/tiny.py', 8, 256, 192, 1.0, 6, 16, 64, 4, 1e-3, 4, True, 12.0, (1500, 30000)),
    'mobile': ConfigBase(f'{_BASES}/mobile.py', 16, 512, 384, 1.0, 12, 16, 64, 4, 4e-4, 4, True, 4.0, (800, 60000)),
    'r50': ConfigBase(f'{_BASES}/r50.py', 16, 1000, 600, 2.0, 18, 75, 300, 1, 1e-3, 4, False, 4.0, (2000, 120000)),
    'r101': ConfigBase(f'{_BASES}/r101.py', 16, 1000, 600, 2.0, 18, 75, 300, 1, 1e-3, 4, False, 4.0, (2000, 120000)),
}
