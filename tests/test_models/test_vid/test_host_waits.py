# Copyright (c) mmrdn contributors. All rights reserved.
"""Where a frame asks the device for a value, which on an accelerator waits."""

import collections
import sys

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from helpers.rdn import cascade_config, model_config, tiny_model, video
from mmrdn.models.memory import relation_memory
from mmrdn.models.roi_heads import rdn_roi_head

WAITS = ('nonzero', 'is_nonzero', 'item', '_local_scalar_dense', 'masked_select', '_unique2', 'unique_consecutive')
PACKAGES = ('mmrdn', 'mmdet', 'mmcv', 'mmtrack', 'mmengine')


class Waits(TorchDispatchMode):
    """Count them by the package and the function that ask."""

    def __init__(self):
        super().__init__()
        self.origins = collections.Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        masks = args[1] if name in ('index', 'index_put', 'index_put_') else ()
        if name in WAITS or any(torch.is_tensor(mask) and mask.dtype == torch.bool for mask in masks):
            frame = sys._getframe()
            while frame.f_globals['__name__'].partition('.')[0] not in PACKAGES:
                frame = frame.f_back
            self.origins[frame.f_globals['__name__'].partition('.')[0], frame.f_code.co_name] += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize('config', [model_config, cascade_config], ids=['Faster R-CNN', 'cascade'])
def test_a_frame_on_an_accelerator(config, monkeypatch):
    """Ours is one, behind NMS; the others are those of mmdet's RPN and NMS, see docs/benchmarks.md."""
    monkeypatch.setattr(relation_memory, '_steps_on', lambda device: True)
    monkeypatch.setattr(rdn_roi_head, '_runs_behind', lambda device: True)
    model = tiny_model(config())
    *earlier, (inputs, samples) = video(8)[:6]
    with torch.no_grad():
        for frame in earlier:
            model.predict(*frame)
        with Waits() as waits:
            assert len(model.predict(inputs, samples)) == 1
    assert {origin: num for origin, num in waits.origins.items() if origin[0] == 'mmrdn'} == {('mmrdn', 'detect'): 1}
    is_own = getattr(sys.modules['mmcv._ext'], 'is_stand_in', False)
    assert sum(waits.origins.values()) <= (3 if is_own else 5)  # compiled, mmcv's NMS asks twice more
