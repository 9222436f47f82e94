# Copyright (c) mmrdn contributors. All rights reserved.
from typing import Any

import numpy as np
import torch


def to_numpy(values: Any) -> np.ndarray:
    """A tensor, an array or a list as an array; bfloat16 as float32."""
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        if values.dtype == torch.bfloat16:
            values = values.float()
    return np.asarray(values)
