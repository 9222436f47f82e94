# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Mapping
from typing import Any


def type_name(settings: Mapping[str, Any], default: str = '') -> str:
    """Return the bare name of the type of settings, which may be a class, or a name with or without scope.

    Args:
        settings (dict): Settings of something that a registry builds.
        default (str): Name if they have no type.
    """
    kind = settings.get('type', default)
    return (kind if isinstance(kind, str) else kind.__name__).split('.')[-1]
