# Copyright (c) mmrdn contributors. All rights reserved.
from typing import Any

import numpy as np


class NumberedLabels(np.ndarray):
    """Labels of boxes that keep their instance ids: a transform that picks some of the labels picks those of the ids.

    All transforms that drop boxes drop their labels; few know of instance ids.

    Attributes:
        instance_ids (np.ndarray): (n,), None where the labels are not some of those that were numbered.
    """

    instance_ids: np.ndarray | None = None

    @classmethod
    def of(cls, labels: np.ndarray, instance_ids: np.ndarray) -> 'NumberedLabels':
        """Number labels.

        Args:
            labels (np.ndarray): Labels of n boxes.
            instance_ids (np.ndarray): (n,)
        """
        numbered = labels.view(cls)
        numbered.instance_ids = instance_ids
        return numbered

    def __getitem__(self, index: Any) -> Any:
        picked = super().__getitem__(index)
        if isinstance(picked, NumberedLabels) and self.instance_ids is not None:
            picked.instance_ids = self.instance_ids[index]
        return picked

    def __deepcopy__(self, memo: dict) -> 'NumberedLabels':
        copy = np.array(self).view(type(self))
        copy.instance_ids = self.instance_ids
        return copy
