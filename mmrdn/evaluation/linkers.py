# Copyright (c) mmrdn contributors. All rights reserved.
"""Box linkers in configs: their names in the registry, and how they are built."""

from mmrdn.post_processing import BaseBoxLinker, BoxLinkingWithRelations, SeqNMS, TubeLinking
from mmrdn.registry import TASK_UTILS

# Here and not beside the classes: post_processing does without MMEngine.
for linker in (BoxLinkingWithRelations, SeqNMS, TubeLinking):
    TASK_UTILS.register_module(module=linker)


def build_linker(cfg: dict) -> BaseBoxLinker:
    """Build a box linker.

    Args:
        cfg (dict): Config with its ``type``, such as ``'SeqNMS'``.

    Raises:
        ValueError: ``cfg`` is something else.
    """
    if not isinstance(cfg, dict) or 'type' not in cfg:
        raise ValueError(f"linker must be a dict such as dict(type='SeqNMS'), got {cfg!r}")
    try:
        linker = TASK_UTILS.build(cfg)
    except KeyError:
        names = [
            name
            for name, kind in TASK_UTILS.module_dict.items()
            if isinstance(kind, type) and issubclass(kind, BaseBoxLinker)
        ]
        raise ValueError(f'there is no box linker {cfg["type"]}, expected one of {", ".join(sorted(names))}') from None
    if not isinstance(linker, BaseBoxLinker):
        raise ValueError(
            f'linker {cfg["type"]} must be a box linker such as BoxLinkingWithRelations, TubeLinking or SeqNMS'
        )
    return linker
