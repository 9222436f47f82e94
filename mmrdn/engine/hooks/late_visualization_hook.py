# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Sequence

from mmengine.runner import Runner
from mmtrack.engine.hooks import TrackVisualizationHook
from mmtrack.structures import TrackDataSample

from mmrdn.registry import HOOKS


@HOOKS.register_module()
class LateVisualizationHook(TrackVisualizationHook):
    """mmtrack's hook for detectors whose results come late.

    An iteration may return no result, or those of many frames at once; mmtrack expects exactly one.
    """

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict, outputs: Sequence[TrackDataSample]
    ) -> None:
        """Draw each result of a validation iteration."""
        for output in outputs:
            super().after_val_iter(runner, batch_idx, data_batch, [output])

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict, outputs: Sequence[TrackDataSample]
    ) -> None:
        """Draw each result of a test iteration."""
        for output in outputs:
            super().after_test_iter(runner, batch_idx, data_batch, [output])
