# Copyright (c) mmrdn contributors. All rights reserved.
from typing import Any

import numpy as np


def to_numpy(values: Any) -> np.ndarray:
    """Return a tensor, an array or a list as an array; bfloat16 as float32.

    Tensors are known by their methods, so that torch is not needed where there are none.
    """
    if hasattr(values, 'detach'):
        values = values.detach().cpu()
        if str(values.dtype) == 'torch.bfloat16':
            values = values.float()
    return np.asarray(values)
