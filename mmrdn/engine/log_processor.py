# Copyright (c) mmrdn contributors. All rights reserved.
import resource

from mmengine.runner import LogProcessor as MMEngineLogProcessor
from mmengine.runner import Runner

from mmrdn.registry import LOG_PROCESSORS


@LOG_PROCESSORS.register_module()
class LogProcessor(MMEngineLogProcessor):
    """MMEngine's log processor, which reports the memory without an accelerator too.

    With an accelerator, ``memory`` is the peak memory of tensors since the last line, in MiB. Without
    one, it is the peak memory of the process since its start, data workers not included.

    Args:
        **kwargs: See MMEngine's log processor.
    """

    def get_log_after_iter(self, runner: Runner, batch_idx: int, mode: str) -> tuple[dict, str]:
        """Return the log of an iteration, as numbers by name and as a line."""
        tag, line = super().get_log_after_iter(runner, batch_idx, mode)
        if 'memory' not in tag:
            tag['memory'] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024  # KiB on Linux
            line = f'{line.rstrip()}  memory: {tag["memory"]}'
        return tag, line
