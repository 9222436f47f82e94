# Copyright (c) mmrdn contributors. All rights reserved.
"""Evaluation and box linking of predictions in a file, without the model."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any

from mmrdn.evaluation.functional import flicker, vid_map
from mmrdn.evaluation.metrics.vid_metric import SETTINGS, VIDMetric
from mmrdn.evaluation.scoring import matching_annotations
from mmrdn.fileio.coco_vid import CocoVidFile
from mmrdn.fileio.fields import INTEGER, check_entries
from mmrdn.fileio.json_files import write_json
from mmrdn.fileio.predictions import linked_entries
from mmrdn.post_processing import BaseBoxLinker, link_video
from mmrdn.structures import FrameDetections
from mmrdn.utils.text import shown


def evaluate_predictions(predictions: str, ann_file: str, report: dict | None = None) -> tuple[dict[str, float], str]:
    """Evaluate a file that ``outfile_prefix`` wrote, without the model.

    The settings of the metric are those stored in the file, or the defaults.

    Args:
        predictions (str): COCO-VID JSON with a ``score`` per annotation.
        ann_file (str): COCO-VID JSON with the ground truth.
        report (dict, optional): Arguments of :class:`DetectionReport`, to write one.

    Returns:
        tuple[dict[str, float], str]: Metrics with prefix, and the table.

    Raises:
        ValueError: A file is malformed or the two don't fit together.
        OSError: A file can't be read.
    """
    file = CocoVidFile(predictions, annotations=('bbox', 'score'))
    info = file.data.get('info') or {}
    settings = {key: info[key] for key in SETTINGS if key in info}
    try:
        vid_map([], [], 1, **settings)
    except (AttributeError, TypeError, ValueError, ArithmeticError) as error:
        raise ValueError(
            f"{predictions}: 'info' holds unusable settings of the metric, {shown(settings)} ({error})"
        ) from None
    metric = VIDMetric(ann_file=ann_file, report=report, **settings)
    metric.dataset_meta = dict(classes=list(file.categories))
    metrics, table = metric.score([dict(frame=frame) for frame in file.predictions(metric.classes).values()])
    return {f'{metric.prefix}/{key}': value for key, value in metrics.items()}, table


def measure_flicker(predictions: str, ann_file: str, score_thr: float = 0.5) -> dict[str, float]:
    """Return :func:`flicker` of a file that ``outfile_prefix`` or box linking wrote.

    Args:
        predictions (str): COCO-VID JSON with a ``score`` per annotation.
        ann_file (str): COCO-VID JSON with the ground truth, of the same images.
        score_thr (float): Lowest score of a detection that finds.

    Raises:
        ValueError: A file is malformed or the two don't fit together.
    """
    file = CocoVidFile(predictions, annotations=('bbox', 'score'))
    truth = CocoVidFile(ann_file, images=('video_id', 'frame_id'))
    classes = list(file.categories)
    frames = list(file.predictions(classes).values())
    annotations = matching_annotations(frames, truth.ground_truth(classes), truth.path)
    info = file.data.get('info') or {}
    settings = {key: info[key] for key in ('iou_thr', 'pixel_tolerance') if key in info}
    return flicker(frames, annotations, len(classes), score_thr, **settings)


def link_predictions(predictions: str, linker: BaseBoxLinker, out: str | None = None, overwrite: bool = False) -> Path:
    """Link the boxes of each video, write them with their new scores.

    Relation weights are those that ``VIDMetric(outfile_prefix=...)`` has written if the model recorded
    them (``NextFrameRelations``). A file that was linked already is linked again, from all of the
    detector's boxes and their scores.

    Args:
        predictions (str): COCO-VID JSON with a ``score`` per annotation.
        linker (BaseBoxLinker): Box linker.
        out (str, optional): Path of the output: the same with new ``score``, the former
            ``unlinked_score`` and, in tracks, ``instance_id``, and boxes that were suppressed
            aside, in ``suppressed``; ``NAME.linked.json`` for ``NAME.json`` if not given.
        overwrite (bool): Whether ``out`` may exist.

    Returns:
        Path: ``out``.

    Raises:
        ValueError: The file is malformed; names file and field.
        FileExistsError: ``out`` is there already.
    """
    path = Path(predictions)
    target = Path(out) if out else path.with_name(f'{path.stem}.linked.json')
    if target.is_dir() or (target.exists() and not overwrite):
        raise FileExistsError(f'{target} exists; choose another name or pass --overwrite')
    file = _UnlinkedFile(predictions, images=('video_id', 'frame_id'), annotations=('bbox', 'score'))
    for entry in file.data['annotations']:
        unlinked = entry.pop('unlinked_score', None)
        entry['score'] = entry['score'] if unlinked is None else unlinked
    annotations, suppressed = [], []
    for frame in _linked_frames(file, linker):
        linked, gone = linked_entries(frame, file.annotations_of[frame.img_id])
        annotations += linked
        suppressed += gone
    info = dict(file.data.get('info') or {}, linker=type(linker).__name__)
    content = dict(file.data, info=info, annotations=annotations)
    write_json(content | (dict(suppressed=suppressed) if suppressed else {}), target, indent=None)
    return target


class _UnlinkedFile(CocoVidFile):
    """A file of predictions in which the boxes that were suppressed are in their places again."""

    def _read(self, path: str) -> dict[str, Any]:
        data = super()._read(path)
        if 'suppressed' in data:
            parts = ('annotations', 'suppressed')
            entries = [e for part in parts for e in check_entries(data, part, dict(id=INTEGER), ['id'], self.path)]
            data['annotations'] = sorted(entries, key=itemgetter('id'))
            del data['suppressed']
        return data


def _linked_frames(file: CocoVidFile, linker: BaseBoxLinker) -> Iterator[FrameDetections]:
    """Link each video of the file and yield its frames."""
    relations = file.relations()
    videos: dict[Any, list[FrameDetections]] = defaultdict(list)
    for frame in file.predictions(list(file.categories)).values():
        videos[frame.video_id].append(frame)
    for video_id, frames in videos.items():
        frames.sort(key=attrgetter('frame_id'))
        for i, (frame, following) in enumerate(zip(frames, frames[1:])):
            if following.frame_id != frame.frame_id + 1:  # type: ignore[operator]
                raise ValueError(
                    f'{file.path}: video {video_id}: frame {following.frame_id} comes after frame {frame.frame_id}, '
                    'expected all frames of a video, each once'
                )
            frames[i] = replace(frame, relations=relations.get((frame.img_id, following.img_id)))
        try:
            yield from link_video(linker, frames)
        except ValueError as error:
            raise ValueError(f'{file.path}: {error}') from None
