# Copyright (c) mmrdn contributors. All rights reserved.
"""Compute named metrics and a table from detections and ground truth of all frames."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from terminaltables import AsciiTable

from mmrdn.evaluation.functional import vid_map
from mmrdn.structures import FrameAnnotations, FrameDetections


def score_frames(
    frames: Sequence[FrameDetections],
    annotations: Sequence[FrameAnnotations],
    classes: Sequence[str],
    settings: Mapping[str, Any],
    classwise: bool = True,
) -> tuple[dict[str, float], str]:
    """Measure detections against ground truth; frames that were not annotated are left out.

    Args:
        frames (Sequence[FrameDetections]): Detections of F frames.
        annotations (Sequence[FrameAnnotations]): Ground truth of the same frames.
        classes (Sequence[str]): Class names in the order of the labels.
        settings (Mapping[str, Any]): Other arguments of :func:`vid_map`.
        classwise (bool): Whether to report each class.

    Returns:
        tuple[dict[str, float], str]: ``mAP50``, ``mAP50_<motion group>``, the same with
        ``_unlinked`` if boxes were linked, and, with ``classwise``, ``AP50/<class>``, fractions with
        4 digits, NaN where there is no ground truth; the table.
    """
    known = [i for i, frame in enumerate(annotations) if not frame.is_left_out]
    frames, annotations = [frames[i] for i in known], [annotations[i] for i in known]
    result = vid_map(frames, annotations, len(classes), **settings)
    metrics = {key: round(value, 4) for key, value in result.items() if key.startswith('mAP50')}
    if all(frame.detected is not None for frame in frames):
        before = vid_map([frame.unlinked() for frame in frames], annotations, len(classes), **settings)
        metrics.update({f'{key}_unlinked': round(before[key], 4) for key in list(metrics)})
    if classwise:
        metrics.update({f'AP50/{name}': round(float(ap), 4) for name, ap in zip(classes, result['ap'])})
    return metrics, format_table(result, classes)


def unique_frames(frames: Sequence[FrameDetections]) -> list[FrameDetections]:
    """Order frames by image id and drop repetitions.

    Args:
        frames (Sequence[FrameDetections]): Frames of all ranks.

    Returns:
        list[FrameDetections]: One of each image; if there are several, the one of the longest linked
        video: a frame that pads a rank is linked alone.

    Raises:
        ValueError: There are no frames, or an image came twice with different predictions (a sampler
            that pads repeats them unchanged).
    """
    if not frames:
        raise ValueError('VIDMetric got no predictions at all, expected those of at least one frame')
    unique: dict[Any, FrameDetections] = {}
    for frame in frames:
        first = unique.setdefault(frame.img_id, frame)
        if first is frame:
            continue
        for field in ('bboxes', 'scores', 'labels'):
            ours, others = (getattr(f.unlinked(), field) for f in (first, frame))
            if ours.shape != others.shape or not np.allclose(ours, others):
                raise ValueError(
                    f'img_id {frame.img_id} was predicted twice with different {field}, '
                    'expected one prediction per frame'
                )
        if frame.num_linked > first.num_linked:
            unique[frame.img_id] = frame
    return [unique[img_id] for img_id in sorted(unique, key=_sort_key)]


def matching_annotations(
    frames: Sequence[FrameDetections], annotations: Mapping[Any, FrameAnnotations], ann_file: str
) -> list[FrameAnnotations]:
    """Return the ground truth of each frame.

    Args:
        frames (Sequence[FrameDetections]): Frames, one of each image.
        annotations (Mapping[Any, FrameAnnotations]): Ground truth by image id.
        ann_file (str): File of the ground truth, for messages.

    Raises:
        ValueError: Frames and ground truth are not of the same images.
    """
    problems = ('have no prediction', 'were predicted but are not in it')
    check_same_images({frame.img_id for frame in frames}, annotations, ann_file, problems)
    return [annotations[frame.img_id] for frame in frames]


def check_same_images(others: Collection, known: Collection, ann_file: str, problems: tuple[str, str]) -> None:
    """Refuse images that differ from those of a file.

    Args:
        others (Collection): Ids of the images.
        known (Collection): Ids of those of the file.
        ann_file (str): The file, for messages.
        problems (tuple[str, str]): What is wrong with images that the file alone has, and with those
            that it has not.

    Raises:
        ValueError: They are not the same.
    """
    for ids, against, problem in ((known, others, problems[0]), (others, known, problems[1])):
        absent = sorted((i for i in ids if i not in against), key=_sort_key)
        if absent:
            raise ValueError(
                f'{ann_file}: {len(absent)} of {len(ids)} frames {problem}, the first is img_id {absent[0]}'
            )


def _sort_key(img_id: Any) -> tuple:
    """Numbers before strings, so that ids of both kinds can be sorted."""
    return isinstance(img_id, str), img_id


def format_table(result: dict, classes: Sequence[str]) -> str:
    """Format the result of :func:`vid_map` as a text table.

    Args:
        result (dict): Result of :func:`vid_map`.
        classes (Sequence[str]): Class names.

    Returns:
        str: Table of the number of boxes and the AP of each class, overall
        and per motion group, and their mean.
    """
    groups = [key[len('mAP50') :] for key in result if key.startswith('mAP50')]
    rows = [['class', '#gt'] + [f'AP50{group}' for group in groups]]
    for i, name in enumerate(classes):
        rows.append([name, str(result['num_gt'][i])] + [f'{result[f"ap{group}"][i]:.4f}' for group in groups])
    rows.append(['mean', str(result['num_gt'].sum())] + [f'{result[f"mAP50{group}"]:.4f}' for group in groups])
    table = AsciiTable(rows)
    table.inner_footing_row_border = True
    for column in range(1, len(rows[0])):
        table.justify_columns[column] = 'right'
    return table.table
