# Copyright (c) mmrdn contributors. All rights reserved.
import os
import os.path as osp
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from terminaltables import AsciiTable

from mmrdn.evaluation.frame_results import sort_key, unique_frames
from mmrdn.evaluation.functional import add_motion_ious, vid_map
from mmrdn.fileio.coco_vid import parse_frames, parse_instances, read_coco_vid, require
from mmrdn.fileio.predictions import prediction_head, write_predictions
from mmrdn.post_processing import VideoLinker, build_linker
from mmrdn.registry import METRICS
from mmrdn.utils.arrays import to_numpy

SETTINGS = ('motion_ranges', 'iou_thr', 'pixel_tolerance')


@METRICS.register_module()
class VIDMetric(BaseMetric):
    """ImageNet VID metric: mAP at IoU 0.5, overall and per motion group.

    See :func:`mmrdn.evaluation.vid_map` for the protocol and
    :func:`mmrdn.evaluation.motion_iou` for the speed of an object. Every
    frame counts once, in the order of image ids, whatever the number of processes. Only
    ``data_samples`` are read, so a model may hand back its results later than the frames came in,
    any number at a time.

    Ground truth that is flagged (``ignore`` or ``iscrowd`` in ``ann_file``, ``ignore_flag`` in the
    samples), that has no box, or one narrower or lower than a pixel or outside the image, is left
    out as if it weren't annotated, as mmtrack's datasets do: a detection there is a false positive.

    Args:
        ann_file (str, optional): COCO-VID JSON with the ground truth; its categories are matched by
            name. Every frame of it must be predicted. Without it, ``instances`` of the samples is
            used.
        motion_ranges (dict[str, tuple[float, float]], optional): Motion IoU of each group, closed
            on both ends; None for no groups.
        iou_thr (float): IoU that a match must reach.
        pixel_tolerance (float): Pixels that lower it for small boxes.
        linker (dict, optional): Box linking, such as ``dict(type='SeqNMS')``: each video is linked
            when its last frame arrives. The metrics are those of the new scores; those of the
            detector's own are reported as ``mAP50_unlinked`` and so on.
        classwise (bool): Whether to report and print each class.
        outfile_prefix (str, optional): Write the predictions to
            ``{outfile_prefix}.predictions.json`` (COCO-VID); further evaluations of the same run
            get a number before the suffix.
        collect_device (str): 'cpu' or 'gpu', how ranks exchange results.
        prefix (str, optional): Prefix of the reported names.

    Raises:
        ValueError: ``ann_file`` is malformed, or a prediction is missing, superfluous, or holds
            NaN.
        FileExistsError: The predictions file is there already.
    """

    default_prefix = 'vid'

    def __init__(
        self,
        ann_file: str | None = None,
        motion_ranges: dict | None = dict(fast=(0, 0.7), medium=(0.7, 0.9), slow=(0.9, 1.0)),
        iou_thr: float = 0.5,
        pixel_tolerance: float = 10,
        linker: dict | None = None,
        classwise: bool = True,
        outfile_prefix: str | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.settings = dict(motion_ranges=motion_ranges, iou_thr=iou_thr, pixel_tolerance=pixel_tolerance)
        vid_map([], [], 1, **self.settings)  # refuses wrong settings
        self.ann_file = ann_file
        self.linker = None if linker is None else build_linker(linker)
        self.video = VideoLinker(self.linker, keep_relations=outfile_prefix is not None)
        self.classwise = classwise
        self.coco = read_coco_vid(ann_file) if ann_file else None
        self.ground_truth: dict[Any, dict] | None = None
        self.outfile_prefix = outfile_prefix
        if outfile_prefix:
            path = f'{outfile_prefix}.predictions.json'
            if osp.exists(path):
                raise FileExistsError(f'{path} exists; move it or choose another outfile_prefix')
            os.makedirs(osp.dirname(osp.abspath(path)), exist_ok=True)

    @property
    def dataset_meta(self) -> dict | None:
        """dict: Meta information of the dataset, with ``classes``."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: dict | None) -> None:
        self._dataset_meta = dataset_meta
        if self.coco is not None and dataset_meta is not None:
            # Here and not at the end: a wrong class stops the run early.
            self.ground_truth = parse_frames(self.coco, self.ann_file, self.classes)
            frames = list(self.ground_truth.values())
            if self.settings['motion_ranges']:
                for frame in frames:
                    require(frame, ('video_id', 'frame_id'), f'{self.ann_file}: image {frame["img_id"]}')
                add_motion_ious(frames)

    @property
    def classes(self) -> list[str]:
        """list[str]: Class names, in the order of the labels."""
        meta = self._dataset_meta or dict()
        classes = meta.get('classes', meta.get('CLASSES'))
        if not classes:
            raise ValueError(f"dataset_meta must have the key 'classes', got {sorted(meta)}")
        return [classes] if isinstance(classes, str) else list(classes)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep what the metric needs of each sample.

        Args:
            data_batch (Any): Not read.
            data_samples (Sequence[dict]): Samples with ``img_id`` and ``pred_det_instances``:
                ``bboxes`` (n, 4) xyxy, ``scores`` (n,), ``labels`` (n,). Box linking needs
                ``video_id`` and ``frame_id``, and reads ``link_relations``. Without ``ann_file``
                also ``instances`` and, for motion groups, ``video_id`` and ``frame_id``.
        """
        needed = ['img_id', 'pred_det_instances']
        if self.linker is not None:
            needed += ['video_id', 'frame_id']
        if self.coco is None:
            needed.append('instances')
            if self.settings['motion_ranges']:
                needed += ['video_id', 'frame_id']
        for sample in data_samples:
            require(sample, needed, 'a data sample')
            height, width = (sample.get('ori_shape') or (None, None))[:2]
            result = dict(
                {key: sample.get(key) for key in ('video_id', 'frame_id')},
                img_id=sample['img_id'],
                file_name=sample.get('img_path'),
                width=width,
                height=height,
            )
            for field in ('bboxes', 'scores', 'labels'):
                result[field] = to_numpy(sample['pred_det_instances'][field])
                if not np.isfinite(result[field]).all():
                    raise ValueError(
                        f'pred_det_instances.{field} of img_id {sample["img_id"]} must be finite, got NaN or inf'
                    )
            if self.coco is None:
                result['instances'] = sample['instances']
            if 'link_relations' in sample and self.video.wants_relations:
                result['link_relations'] = sample['link_relations']
                result['support_inds'] = sample['pred_det_instances']['support_inds']
            self.video.push(result, sample.get('video_length'))
            self.results.append(result)

    def evaluate(self, size: int) -> dict:
        """Collect the results of all ranks and evaluate.

        MMEngine interleaves the ranks and cuts the list at ``size``, which is right only if each
        rank has every ``world_size``-th frame. Here a rank has whole videos, so nothing is cut;
        frames that came twice are recognised by their id.

        Args:
            size (int): Length of the data set, not read.

        Returns:
            dict: Metrics with the prefix, on every rank.
        """
        self.video.finish()
        try:
            return super().evaluate(sys.maxsize)
        finally:
            self.results.clear()

    def compute_metrics(self, results: list[dict]) -> dict:
        """Evaluate and log the table.

        Args:
            results (list[dict]): Results of all frames.

        Returns:
            dict[str, float]: ``mAP50``, ``mAP50_<motion group>``, the same
            with ``_unlinked`` if boxes were linked, and, with ``classwise``, ``AP50/<class>``,
            fractions with 4 digits; NaN where there is no ground truth.
        """
        metrics, table = self.score(results)
        if self.classwise:
            MMLogger.get_current_instance().info(f'\n{table}')
        return metrics

    def score(self, results: list[dict]) -> tuple[dict[str, float], str]:
        """The metrics of :meth:`compute_metrics` and the table, unlogged.

        Args:
            results (list[dict]): Results of all frames.

        Returns:
            tuple[dict[str, float], str]: Metrics without prefix; table.
        """
        classes = self.classes
        results = unique_frames(results)
        if self.coco is None:
            annotations = [parse_instances(result) for result in results]
            if self.settings['motion_ranges']:
                add_motion_ious(annotations)
        else:
            annotations = self._select_ground_truth(results)
        if self.outfile_prefix:
            self._dump(results)
        result = vid_map(results, annotations, len(classes), **self.settings)
        metrics = {key: round(value, 4) for key, value in result.items() if key.startswith('mAP50')}
        if self.linker is not None:
            before = [dict(r, scores=r['unlinked_scores']) for r in results]
            before = vid_map(before, annotations, len(classes), **self.settings)
            metrics.update({f'{key}_unlinked': round(before[key], 4) for key in list(metrics)})
        if self.classwise:
            metrics.update({f'AP50/{name}': round(float(ap), 4) for name, ap in zip(classes, result['ap'])})
        return metrics, format_table(result, classes)

    def _select_ground_truth(self, results: list[dict]) -> list[dict]:
        """Ground truth of ``ann_file`` for each result; all must be there."""
        predicted = {result['img_id'] for result in results}
        for ids, others, problem in (
            (list(self.ground_truth), predicted, 'have no prediction'),
            (list(predicted), self.ground_truth, 'were predicted but are not in it'),
        ):
            absent = sorted((i for i in ids if i not in others), key=sort_key)
            if absent:
                raise ValueError(
                    f'{self.ann_file}: {len(absent)} of {len(ids)} frames {problem}, the first is img_id {absent[0]}'
                )
        return [self.ground_truth[result['img_id']] for result in results]

    def _dump(self, results: list[dict]) -> None:
        """Write the predictions under the first name that is free."""
        path, number = f'{self.outfile_prefix}.predictions.json', 1
        while osp.exists(path):
            number += 1
            path = f'{self.outfile_prefix}.{number}.predictions.json'
        head = prediction_head(results, self.classes, self.coco)
        head['info'].update(self.settings)
        if self.linker is not None:
            head['info']['linker'] = type(self.linker).__name__
        write_predictions(path, head, results)
        MMLogger.get_current_instance().info(f'Predictions are in {path}')


def format_table(result: dict, classes: Sequence[str]) -> str:
    """Text table of the classes.

    Args:
        result (dict): What :func:`mmrdn.evaluation.vid_map` returns.
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
