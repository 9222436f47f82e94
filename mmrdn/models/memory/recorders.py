# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Sequence
from typing import Any

import torch.nn as nn

from mmrdn.registry import TASK_UTILS


def build_recorders(cfgs: Sequence[dict], neck: nn.Module | None) -> list[Any]:
    """Build what notes relation weights.

    Args:
        cfgs (Sequence[dict]): Such as ``dict(type='NextFrameRelations')``.
        neck (nn.Module, optional): Whose weights they are.

    Returns:
        list: They have a method ``record``.

    Raises:
        ValueError: One is something else, or there are no such weights.
    """
    recorders = [TASK_UTILS.build(cfg) for cfg in cfgs]
    for recorder in recorders:
        if not hasattr(recorder, 'record'):
            raise ValueError(
                f'recorders must note relation weights, such as NextFrameRelations, got a {type(recorder).__name__}'
            )
    if recorders and not getattr(neck, 'num_basic', 0):
        raise ValueError(
            'recorders need a neck with num_basic >= 1: they note weights of the last module of the basic stage'
        )
    return recorders
