# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Sequence
from typing import Any

import torch
from mmcv.transforms import BaseTransform, LoadImageFromFile
from mmengine.dataset import Compose, pseudo_collate

from mmrdn.registry import TRANSFORMS
from mmrdn.utils.cli import describe

_NAMES = ('img_id', 'video_id', 'frame_id', 'video_length', 'img_path', 'instances', 'is_annotated')


class BadFrame(dict):
    """The result of a frame that cannot be loaded: a sample without detections, with ``bad_frame``, the reason."""


@TRANSFORMS.register_module()
class SkippableFrame(BaseTransform):
    """A test pipeline of single frames that gives a :class:`BadFrame` for an image that cannot be loaded.

    Args:
        transforms (Sequence[dict]): The pipeline; its first transform loads the image. What the
            others raise is raised.

    Raises:
        ValueError: The first one does not load a single image.
    """

    def __init__(self, transforms: Sequence[dict]) -> None:
        self.load, *others = (Compose([transform]).transforms[0] for transform in transforms)
        if not isinstance(self.load, LoadImageFromFile):
            raise ValueError(
                '--on-bad-frame skip needs samples of one frame each, loaded by the first transform of the test '
                f'pipeline, got {type(self.load).__name__}: this detector sees frames that come with others'
            )
        self.others = Compose(others)

    def transform(self, results: dict) -> dict | None:
        """Load and transform a frame.

        Args:
            results (dict): Sample with ``img_path``.

        Returns:
            dict | None: What the pipeline gives, or a :class:`BadFrame`.
        """
        try:
            loaded = self.load(results)
        except Exception as error:  # each loader has its own
            empty = dict(bboxes=torch.zeros(0, 4), scores=torch.zeros(0), labels=torch.zeros(0, dtype=torch.long))
            return BadFrame(
                {name: results[name] for name in _NAMES if name in results},
                ori_shape=(results.get('height'), results.get('width')),
                pred_det_instances=empty,
                bad_frame=describe(error),
            )
        return self.others(loaded)


def collate_skippable(samples: Sequence[dict]) -> tuple[list[tuple[Any, BadFrame | None]], dict | None]:
    """Collate frames of which some may be bad.

    Args:
        samples (Sequence[dict]): Frames, as :class:`SkippableFrame` gives them.

    Returns:
        tuple: Image id and, if it is bad, result of each frame; the good ones collated as MMEngine
        does, None if there are none.
    """
    bad = [sample if isinstance(sample, BadFrame) else None for sample in samples]
    good = [sample for sample in samples if not isinstance(sample, BadFrame)]
    ids = [sample['img_id'] if isinstance(sample, BadFrame) else sample['data_samples'].img_id for sample in samples]
    return list(zip(ids, bad)), pseudo_collate(good) if good else None
