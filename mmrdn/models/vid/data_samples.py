# Copyright (c) mmrdn contributors. All rights reserved.
"""Convert data samples to detections that need neither torch nor OpenMMLab; nothing else does."""

from collections.abc import Mapping

import numpy as np
from mmtrack.structures import TrackDataSample

from mmrdn.structures import FrameAnnotations, FrameDetections, NextFrameWeights, SupportWeights
from mmrdn.structures.frame_annotations import is_visible
from mmrdn.structures.frame_boxes import to_numpy
from mmrdn.utils.checks import require_fields


def to_frame_detections(sample: TrackDataSample | Mapping) -> FrameDetections:
    """Convert the detections of a data sample, and the relation weights that recorders added.

    Args:
        sample (TrackDataSample | Mapping): Result of a video detector, or the dict that MMEngine's
            evaluator makes of it, with ``pred_det_instances``.

    Raises:
        ValueError: A field is missing, has the wrong shape or holds NaN; names the frame.
    """
    found = sample.get('pred_det_instances')
    if found is None:
        raise ValueError("a data sample must have the field 'pred_det_instances'")
    height, width = (sample.get('ori_shape') or (None, None))[:2]
    weights, supports = sample.get('link_relations'), sample.get('top_supports')
    if weights is not None:
        fields = {name: to_numpy(weights.get(name)) for name in ('detection_inds', 'weights')}
        weights = NextFrameWeights(
            to_numpy(found.get('support_inds')), **fields, next_frame_id=weights.get('next_frame_id')
        )
    if supports is not None:
        names = ('detection_inds', 'frame_offsets', 'bboxes', 'weights')
        supports = SupportWeights(*(to_numpy(supports.get(name)) for name in names))
    bboxes = found.get('bboxes')
    return FrameDetections(
        bboxes=getattr(bboxes, 'tensor', bboxes),  # of mmdet's box types
        scores=found.get('scores'),
        labels=found.get('labels'),
        frame_id=sample.get('frame_id'),
        video_id=sample.get('video_id'),
        img_id=sample.get('img_id'),
        file_name=sample.get('img_path'),
        width=width,
        height=height,
        track_ids=found.get('instances_id'),
        next_weights=weights,
        top_supports=supports,
    )


def to_frame_annotations(sample: Mapping) -> FrameAnnotations:
    """Convert the ground truth of a data sample, as mmtrack's data sets give it.

    Args:
        sample (Mapping): Sample with ``instances``, each with ``bbox`` xyxy, ``bbox_label``,
            ``instance_id`` and ``ignore_flag``; those that are flagged, have no box or one that is
            not visible are left out, and all where ``is_annotated`` is False.

    Raises:
        ValueError: A field is missing or has the wrong shape; names the image.
    """
    name = f'instances of img_id {sample["img_id"]}'
    height, width = (sample.get('ori_shape') or (None, None))[:2]
    kept, is_annotated = [], sample.get('is_annotated')
    for instance in sample['instances'] if is_annotated is not False else ():
        if instance.get('ignore_flag') or instance.get('bbox') is None:
            continue
        require_fields(instance, ['bbox_label'], name)
        if np.shape(instance['bbox']) != (4,):
            raise ValueError(f"{name}: 'bbox' must be four numbers, got {instance['bbox']}")
        if is_visible(instance['bbox'], width, height):
            kept.append(instance)
    return FrameAnnotations(
        bboxes=[instance['bbox'] for instance in kept],
        labels=[instance['bbox_label'] for instance in kept],
        instance_ids=[instance.get('instance_id') for instance in kept],
        is_annotated=is_annotated,
        frame_id=sample.get('frame_id'),
        video_id=sample.get('video_id'),
        img_id=sample['img_id'],
    )
