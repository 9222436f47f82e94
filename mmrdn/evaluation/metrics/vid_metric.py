# Copyright (c) mmrdn contributors. All rights reserved.
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger

from mmrdn.evaluation.detection_report import DetectionReport
from mmrdn.evaluation.functional import knows_motion, vid_map, with_motion_ious
from mmrdn.evaluation.ground_truth_warnings import ground_truth_warnings
from mmrdn.evaluation.linkers import build_linker
from mmrdn.evaluation.scoring import matching_annotations, score_frames, unique_frames
from mmrdn.fileio.coco_vid import CocoVidFile
from mmrdn.fileio.joined_coco_vid_files import JoinedCocoVidFiles
from mmrdn.fileio.predictions import prediction_head, predictions_path, write_predictions
from mmrdn.fileio.size_warning import size_warning
from mmrdn.fileio.sparse_annotation import AnnotatedFrame
from mmrdn.post_processing import VideoLinker
from mmrdn.registry import METRICS
from mmrdn.structures import FrameAnnotations, FrameDetections
from mmrdn.utils.checks import require_fields

# Arguments of vid_map that predictions files keep.
SETTINGS = ('motion_ranges', 'iou_thr', 'pixel_tolerance')


@METRICS.register_module()
class VIDMetric(BaseMetric):
    """ImageNet VID metric: mAP at IoU 0.5, overall and per motion group.

    See :func:`mmrdn.evaluation.vid_map` for the protocol and :func:`mmrdn.evaluation.motion_iou`
    for the speed of an object. Every frame counts once, in the order of image ids, whatever the
    number of processes. Only ``data_samples`` are read, so a model may hand back its results later
    than the frames came in, any number at a time.

    Ground truth that is flagged (``ignore`` or ``iscrowd`` in ``ann_file``, ``ignore_flag`` in the
    samples), that has no box, or one outside the image, is left out as if it weren't annotated: a
    detection there is a false positive. Boxes are inclusive pixels, so one with ``x1 == x2`` is a
    pixel wide and counts (mmtrack's data sets drop it; :class:`VideoDetDataset` does not).
    Frames with ``"is_annotated": false`` (in ``ann_file``, or ``is_annotated`` of the samples, see
    :class:`mmrdn.datasets.PackTrackInputs`) count nowhere, nor do detections in them; how many they
    are is logged once.

    Motion groups are left out, with a warning, if ``instance_id`` gives the speed of no object.

    Args:
        ann_file (str or Sequence[str], optional): COCO-VID JSON with the ground truth; its categories
            are matched by name. Every frame of it must be predicted. Of a ``ConcatDataset`` the list
            of its files, in its order. Without it, ``instances`` of the samples is
            used.
        motion_ranges (dict[str, tuple[float, float]], optional): Motion IoU of each group, closed
            on both ends; None for no groups.
        iou_thr (float): IoU that a match must reach.
        pixel_tolerance (float): Pixels that lower it for small boxes.
        linker (dict, optional): Box linker, such as ``dict(type='SeqNMS')``, in front of the metric:
            each video is linked when its last frame arrives. The metrics are those of the new
            scores; those of the detector's own are reported as ``mAP50_unlinked`` and so on.
        classwise (bool): Whether to report and print each class.
        outfile_prefix (str, optional): Write the predictions to
            ``{outfile_prefix}.predictions.json`` (COCO-VID); further evaluations of the same run
            get a number before the suffix.
        report (dict, optional): Arguments of :class:`DetectionReport`, which writes precision-recall
            curves and the confusion matrix of each evaluation, such as ``dict(prefix='work_dirs/val')``.
        collect_device (str): 'cpu' or 'gpu', device over which ranks exchange results.
        prefix (str, optional): Prefix of the reported names.

    Raises:
        ValueError: ``ann_file`` is malformed, or a prediction is missing, superfluous, or holds
            NaN.
        FileExistsError: The predictions file or the report is there already.
    """

    default_prefix = 'vid'

    def __init__(
        self,
        ann_file: str | Sequence[str] | None = None,
        motion_ranges: dict | None = dict(fast=(0, 0.7), medium=(0.7, 0.9), slow=(0.9, 1.0)),
        iou_thr: float = 0.5,
        pixel_tolerance: float = 10,
        linker: dict | None = None,
        classwise: bool = True,
        outfile_prefix: str | None = None,
        report: dict | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.settings: dict[str, Any] = dict(
            motion_ranges=motion_ranges, iou_thr=iou_thr, pixel_tolerance=pixel_tolerance
        )
        vid_map([], [], 1, **self.settings)  # refuses wrong settings
        self.linker = None if linker is None else build_linker(linker)
        self._linking = VideoLinker(self.linker, keep_relations=outfile_prefix is not None)
        self.classwise = classwise
        of_video = ('video_id', 'frame_id') if motion_ranges else ()
        self.file = _open(ann_file, of_video) if ann_file else None
        self._needed = ['img_id', 'pred_det_instances']
        if self.file is None:
            self._needed += ['instances', *of_video]
        if self.linker is not None:
            self._needed += ['video_id', 'frame_id']
        # Ground truth by image id: of the file, or of the samples of this rank.
        self._annotations: dict[Any, FrameAnnotations] = {}
        self._compared_sizes = False
        self._knows_motion: bool | None = None  # until there is ground truth
        self.outfile_prefix = outfile_prefix
        if outfile_prefix:
            path = predictions_path(outfile_prefix)
            if path.exists():
                raise FileExistsError(f'{path} exists; move it or choose another outfile_prefix')
            path.parent.mkdir(parents=True, exist_ok=True)
        self.report = None if report is None else DetectionReport(**report)

    @BaseMetric.dataset_meta.setter
    def dataset_meta(self, dataset_meta: dict | None) -> None:
        """Take the meta information of the data set, with ``classes``, and the ground truth of these."""
        self._dataset_meta = dataset_meta
        if self.file is not None and dataset_meta is not None:
            # Here and not at the end: a wrong class stops the run early.
            self._annotations = self.file.ground_truth(self.classes)
            self._look_at(list(self._annotations.values()), self.file.annotated_frames())
            try:
                moving = self._with_motion(list(self._annotations.values()))
            except ValueError as error:  # an instance twice in a frame
                raise ValueError(f'{self.file.path}: {error}') from None
            self._annotations = dict(zip(self._annotations, moving))

    def _look_at(self, annotations: Sequence[FrameAnnotations], frames: Sequence[AnnotatedFrame]) -> None:
        """Find out once whether the speed of objects is known, and log warnings about the ground truth."""
        if self._knows_motion is not None:
            return
        self._knows_motion = knows_motion(annotations)
        name = self.file.path if self.file else 'the samples'
        motion = self._knows_motion if self.settings['motion_ranges'] else None
        for warning in ground_truth_warnings(name, annotations, frames, motion):
            MMLogger.get_current_instance().warning(warning)

    def _with_motion(self, annotations: list[FrameAnnotations]) -> list[FrameAnnotations]:
        """Return the frames with their motion IoUs if these are wanted and known."""
        return with_motion_ious(annotations) if self.settings['motion_ranges'] and self._knows_motion else annotations

    def _warn_of_sizes(self, frames: Sequence[FrameDetections]) -> None:
        """Log once how many images do not have the size given in the file."""
        if self.file is None or self._compared_sizes:
            return
        self._compared_sizes = True
        said = {image['id']: (image.get('height'), image.get('width')) for image in self.file.data['images']}
        sizes = [(frame.file_name, (frame.height, frame.width), said[frame.img_id]) for frame in frames]
        others = [entry for entry in sizes if None not in (*entry[1], *entry[2]) and entry[1] != entry[2]]
        if others:
            text = size_warning(len(others), *others[0])
            MMLogger.get_current_instance().warning(f'{self.file.path}: {text}')

    @property
    def metric_names(self) -> list[str]:
        """list[str]: Names of the metrics, as they are reported."""
        names = score_frames([], [], self.classes, self._known_settings, self.classwise)[0]
        reported = [name for name in names if self.linker is not None or not name.endswith('_unlinked')]
        return [f'{self.prefix}/{name}' if self.prefix else name for name in reported]

    @property
    def _known_settings(self) -> dict[str, Any]:
        return self.settings | (dict(motion_ranges=None) if self._knows_motion is False else {})

    @property
    def classes(self) -> list[str]:
        """list[str]: Class names, in the order of the labels."""
        meta = self._dataset_meta or dict()
        classes = meta.get('classes', meta.get('CLASSES'))
        if not classes:
            raise ValueError(f"dataset_meta must have the key 'classes', got {sorted(meta)}")
        return [classes] if isinstance(classes, str) else list(classes)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the detections of each sample once its video has been linked, if anything links them.

        Args:
            data_batch (Any): Not read.
            data_samples (Sequence[dict]): Samples with ``img_id`` and ``pred_det_instances``:
                ``bboxes`` (n, 4) xyxy, ``scores`` (n,), ``labels`` (n,). Box linking needs
                ``video_id`` and ``frame_id``, and reads ``link_relations``. Without ``ann_file``
                also ``instances`` and, for motion groups, ``video_id`` and ``frame_id``.
        """
        # Files are evaluated without models, whose import takes seconds.
        from mmrdn.models.vid.data_samples import to_frame_annotations, to_frame_detections

        for sample in data_samples:
            require_fields(sample, self._needed, 'a data sample')
            if self.file is None:
                self._annotations[sample['img_id']] = to_frame_annotations(sample)
            frame = replace(to_frame_detections(sample), top_supports=None)
            self._keep(self._linking.add(frame, sample.get('video_length')))

    def _keep(self, frames: Sequence[FrameDetections]) -> None:
        """Add frames to the results, with their ground truth where the samples have it."""
        truth = {} if self.file else self._annotations
        self.results += [dict(frame=frame, annotations=truth.get(frame.img_id)) for frame in frames]

    def evaluate(self, size: int) -> dict:
        """Collect the results of all ranks and evaluate.

        MMEngine interleaves the ranks and cuts the list at ``size``, which is right only if each
        rank has every ``world_size``-th frame. Here a rank has whole videos, so nothing is cut;
        frames that came twice are recognized by their id.

        Args:
            size (int): Length of the data set, not read.

        Returns:
            dict: Metrics with the prefix, on every rank.
        """
        self._keep(self._linking.finish())
        try:
            return super().evaluate(sys.maxsize)
        finally:
            self.results.clear()
            if self.file is None:
                self._annotations.clear()

    def compute_metrics(self, results: list[dict]) -> dict:
        """Evaluate and log the table.

        Args:
            results (list[dict]): Results of all frames.

        Returns:
            dict[str, float]: Metrics of :func:`mmrdn.evaluation.scoring.score_frames`.
        """
        metrics, table = self.score(results)
        if self.classwise:
            MMLogger.get_current_instance().info(f'\n{table}')
        return metrics

    def score(self, results: list[dict]) -> tuple[dict[str, float], str]:
        """Return the metrics of :meth:`compute_metrics` and the table, unlogged.

        Args:
            results (list[dict]): Results of all frames: ``frame`` and, without ``ann_file``,
                ``annotations``.
        """
        frames = unique_frames([result['frame'] for result in results])
        if self.file:
            annotations = matching_annotations(frames, self._annotations, self.file.path)
        else:
            by_id = {result['frame'].img_id: result['annotations'] for result in results}
            annotations = [by_id[frame.img_id] for frame in frames]
            self._look_at(
                annotations, [AnnotatedFrame(f.video_id, f.frame_id, len(f) > 0, f.is_annotated) for f in annotations]
            )
            annotations = self._with_motion(annotations)
        if self.outfile_prefix:
            self._dump(self.outfile_prefix, frames, annotations)
        if self.report:
            options = (self.settings[key] for key in ('iou_thr', 'pixel_tolerance'))
            path = self.report.write(frames, annotations, self.classes, *options)
            MMLogger.get_current_instance().info(f'The report is in {path}')
        self._warn_of_sizes(frames)
        return score_frames(frames, annotations, self.classes, self._known_settings, self.classwise)

    def _dump(self, prefix: str, frames: Sequence[FrameDetections], annotations: Sequence[FrameAnnotations]) -> None:
        """Write the predictions under the first name that is free."""
        info = self.settings | (dict(linker=type(self.linker).__name__) if self.linker else {})
        path = predictions_path(prefix, free=True)
        head = prediction_head(frames, self.classes, self.file.data if self.file else None, info)
        if self.file is None:
            for image, truth in zip(head['images'], annotations):
                image.update({} if truth.is_annotated is None else dict(is_annotated=truth.is_annotated))
        write_predictions(path, head, frames)
        MMLogger.get_current_instance().info(f'Predictions are in {path}')


def _open(ann_file: str | Sequence[str], images: Sequence[str]) -> CocoVidFile:
    """Open a file of ground truth, or several as one."""
    if isinstance(ann_file, str):
        return CocoVidFile(ann_file, images=images)
    return JoinedCocoVidFiles(ann_file, images=images)
