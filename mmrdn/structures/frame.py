# Copyright (c) mmrdn contributors. All rights reserved.
from dataclasses import dataclass

import numpy as np


@dataclass
class Frame:
    """A frame of a video.

    Attributes:
        image (np.ndarray, optional): (H, W, 3) uint8 BGR; None once it is no longer needed.
        index (int): Index in the video, from 0, without gaps.
        time (float): Seconds since the first frame.
        name (str): Name of its file, where frames are files.
    """

    image: np.ndarray | None
    index: int
    time: float
    name: str = ''
