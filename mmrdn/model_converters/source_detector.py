# Copyright (c) mmrdn contributors. All rights reserved.
from typing import NamedTuple

from torch import Tensor


class SourceDetector(NamedTuple):
    """A Faster R-CNN from elsewhere, in the names and the order of mmdet.

    Entries are named as in mmdet's ``FasterRCNN``; anchors vary fastest by scale, then by ratio;
    background is the last class and has no boxes.
    """

    name: str  # file, for messages
    state: dict[str, Tensor]  # by mmdet's name
    keys: dict[str, str]  # in the file, by mmdet's name
    detector: dict  # mmdet's config of the detector
    data_preprocessor: dict  # mmdet's config of its input
    classes: tuple[str, ...] | None  # None if nobody knows
