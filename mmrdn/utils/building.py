# Copyright (c) mmrdn contributors. All rights reserved.
"""Build parts that options name, with one-line errors."""

from typing import Any

from mmengine.registry import DefaultScope

from mmrdn.registry import TASK_UTILS


def build_part(cfg: Any, option: str, kind: str, base: type) -> Any:
    """Build the part that an option names.

    Args:
        cfg (dict): Config with its ``type``, a name in ``TASK_UTILS``.
        option (str): Name of the option, such as ``'linker'``.
        kind (str): Kind of the part in words, such as ``'box linker'``.
        base (type): Class of which it must be.

    Raises:
        ValueError: ``cfg`` is not such a config.
    """
    names = sorted(
        name for name, part in TASK_UTILS.module_dict.items() if isinstance(part, type) and issubclass(part, base)
    )
    if not isinstance(cfg, dict) or 'type' not in cfg:
        raise ValueError(f"{option} must be a dict such as dict(type='{names[-1]}'), got {cfg!r}")
    try:
        with DefaultScope.overwrite_default_scope('mmrdn'):  # whatever that of the detector's config is
            part = TASK_UTILS.build(cfg)
    except KeyError:
        raise ValueError(f'there is no {kind} {cfg["type"]}, expected one of {", ".join(names)}') from None
    if not isinstance(part, base):
        raise ValueError(f'{option} {cfg["type"]} must be a {kind} such as {", ".join(names)}')
    return part
