# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Iterable
from typing import Any

from mmcv.transforms import Compose
from mmcv.transforms import TransformBroadcaster as _TransformBroadcaster
from mmdet.datasets.transforms import MinIoURandomCrop

from mmrdn.registry import TRANSFORMS

_KEY = '_key_frame'


class _FrameRejected(Exception):
    """A transform left nothing of a frame."""


class _FrameTransforms(Compose):
    """The transforms of a frame, of which mmcv's wrapper accepts no None."""

    def transform(self, results: dict) -> dict:
        """Transform a frame."""
        outputs = super().transform(results)
        if outputs is None:
            raise _FrameRejected
        return outputs


@TRANSFORMS.register_module()
class TransformBroadcaster(_TransformBroadcaster):
    """mmcv's wrapper that applies transforms to each frame, of which some may reject a frame.

    A transform returns None for a frame of which nothing is left, as ``mmdet.RandomCrop`` does if no
    box is in the crop. If that is the key frame (the first), the data set takes another sample. A
    support frame is replaced by the key frame, which repeats nothing in the pool.

    Args:
        transforms (list[dict]): The transforms.
        **kwargs: See :class:`mmcv.transforms.TransformBroadcaster`.

    Raises:
        ValueError: One of them cannot share random numbers among frames, and ``share_random_params`` is
            on.
    """

    def __init__(self, transforms: list[dict], **kwargs) -> None:
        super().__init__(transforms, **kwargs)
        self.transforms = _FrameTransforms(self.transforms.transforms)
        if self.share_random_params:
            _check_shareable(self.transforms)

    def transform(self, results: dict) -> dict | None:
        """Transform all frames.

        Args:
            results (dict): Sample, each value a list over frames.

        Returns:
            dict | None: The same; None if nothing of the key frame is left.
        """
        try:
            return super().transform(results)
        except _FrameRejected:
            return None

    def scatter_sequence(self, data: dict) -> list[dict]:
        """mmcv's hook: the frames share a list that will hold the key frame."""
        key_frame: list[dict] = []
        return [dict(frame, **{_KEY: key_frame}) for frame in super().scatter_sequence(data)]

    def _apply_transforms(self, inputs: dict) -> dict:
        """mmcv's hook for a single frame."""
        key_frame = inputs.pop(_KEY)
        try:
            outputs = super()._apply_transforms(inputs)
        except _FrameRejected:
            if not key_frame:
                raise
            return key_frame[0]
        key_frame.append(outputs)
        return outputs


def _check_shareable(transform: Any) -> None:
    """Refuse transforms, maybe within others, that would draw the same numbers until they fit, or that mmcv refuses."""
    if isinstance(transform, MinIoURandomCrop) or getattr(transform, 'avoid_cache_randomness', False):
        raise ValueError(
            f'{type(transform).__name__} cannot share its random numbers among the frames of a sample: leave it out, '
            'or set share_random_params=False of TransformBroadcaster'
        )
    if isinstance(transform, Iterable):
        for inner in transform:
            _check_shareable(inner)
