# Copyright (c) mmrdn contributors. All rights reserved.
from mmtrack.datasets.transforms import PackTrackInputs as _PackTrackInputs

from mmrdn.registry import TRANSFORMS


@TRANSFORMS.register_module()
class PackTrackInputs(_PackTrackInputs):
    """mmtrack's transform, which also packs ``is_annotated`` for metrics that read the samples.

    Args:
        meta_keys (Sequence[str]): Further keys of the meta information.
        **kwargs: See :class:`mmtrack.datasets.transforms.PackTrackInputs`.
    """

    def __init__(self, meta_keys: str | tuple[str, ...] = (), **kwargs) -> None:
        more = (meta_keys,) if isinstance(meta_keys, str) else tuple(meta_keys or ())
        super().__init__(meta_keys=('is_annotated', *more), **kwargs)
