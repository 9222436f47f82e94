# Copyright (c) mmrdn contributors. All rights reserved.
from mmengine.registry import Registry
from mmengine.registry import init_default_scope as make_default_scope
from mmtrack.utils import register_all_modules as register_all_mmtrack_modules

from mmrdn import registry


def register_all_modules(init_default_scope: bool = True) -> None:
    """Register the components of mmrdn, mmtrack and mmdet.

    Args:
        init_default_scope (bool): Whether to make ``mmrdn`` the default scope; MMEngine's runner
            does so itself.
    """
    for node in vars(registry).values():
        if isinstance(node, Registry):
            node.import_from_location()
    register_all_mmtrack_modules(init_default_scope=False)
    if init_default_scope:
        make_default_scope('mmrdn')
