# Copyright (c) mmrdn contributors. All rights reserved.
from dataclasses import dataclass
from typing import Optional

import numpy as np


@dataclass
class Frame:
    """A frame of a video.

    Attributes:
        image (np.ndarray, optional): (H, W, 3) uint8 BGR; None once it is no
            longer needed.
        index (int): Place in the video, from 0, without gaps.
        time (float): Seconds since the first frame.
        name (str): Name of its file, where frames are files.
    """
    image: Optional[np.ndarray]
    index: int
    time: float
    name: str = ''
