# Copyright (c) mmrdn contributors. All rights reserved.
"""Box linkers in configs: their names in the registry, and how they are built."""

from mmrdn.post_processing import LINKERS, BaseBoxLinker
from mmrdn.registry import TASK_UTILS
from mmrdn.utils.building import build_part

# Here and not beside the classes: post_processing does without MMEngine.
for linker in LINKERS:
    TASK_UTILS.register_module(module=linker)


def build_linker(cfg: dict) -> BaseBoxLinker:
    """Build a box linker.

    Args:
        cfg (dict): Config with its ``type``, such as ``'SeqNMS'``.

    Raises:
        ValueError: ``cfg`` is not such a config.
    """
    return build_part(cfg, 'linker', 'box linker', BaseBoxLinker)
