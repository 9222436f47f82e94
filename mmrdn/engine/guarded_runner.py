# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Sequence
from typing import Any

from mmengine.optim import OptimWrapper
from mmengine.runner import Runner

from mmrdn.engine.schedule_checks import division_by_zero
from mmrdn.utils.config_types import type_name


class GuardedRunner(Runner):
    """MMEngine's runner, which names the scheduler whose settings are wrong.

    Schedulers compute their first value when they are built, before any hook runs.
    """

    def _build_param_scheduler(self, scheduler: Any, optim_wrapper: OptimWrapper) -> list:
        """Build the schedulers of an optimizer.

        Raises:
            ValueError: The settings of one are wrong; names its index and type.
        """
        built = []
        for i, one in enumerate(scheduler if isinstance(scheduler, Sequence) else [scheduler]):
            try:
                built += super()._build_param_scheduler(one, optim_wrapper)
            except (ValueError, ZeroDivisionError) as error:
                reason = division_by_zero(one) if isinstance(error, ZeroDivisionError) else error
                raise ValueError(f'param_scheduler.{i} ({type_name(one)}): {reason}') from None
        return built
