# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Collection, Iterable

from mmrdn.fileio.sparse_annotation import AnnotatedFrame, sparse_annotation
from mmrdn.structures import FrameAnnotations


def ground_truth_warnings(
    name: str, annotations: Collection[FrameAnnotations], frames: Iterable[AnnotatedFrame], knows_motion: bool | None
) -> list[str]:
    """Return what a user should know about ground truth before reading metrics, a line for each thing.

    Args:
        name (str): File of the ground truth, for messages.
        annotations (Collection[FrameAnnotations]): Ground truth of all frames.
        frames (Iterable[AnnotatedFrame]): Facts about the annotation of the same frames.
        knows_motion (bool, optional): Whether the speed of any object is known; None without motion groups.

    Raises:
        ValueError: No frame was annotated.
    """
    num_left_out = sum(frame.is_left_out for frame in annotations)
    if annotations and num_left_out == len(annotations):
        raise ValueError(f'{name}: all {num_left_out} frames have "is_annotated": false, expected one to measure')
    ids = [instance_id for frame in annotations for instance_id in frame.instance_ids or [None] * len(frame)]
    warnings = [sparse_annotation(frames)]
    if num_left_out:
        warnings.insert(0, f'{num_left_out} of {len(annotations)} frames have "is_annotated": false and are left out')
    if ids and knows_motion is False:
        warnings.append(
            'motion groups are left out: no object, as instance_id tells them apart, has boxes in two frames at '
            'most 10 apart'
        )
    elif knows_motion and None in ids:
        warnings.append(f'{ids.count(None)} of {len(ids)} boxes have no instance_id and count as slow')
    return [f'{name}: {warning}' for warning in warnings if warning]
