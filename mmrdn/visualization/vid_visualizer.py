# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from mmdet.structures import DetDataSample
from mmdet.visualization import DetLocalVisualizer
from mmengine.dist import master_only
from mmengine.structures import InstanceData
from mmtrack.structures import TrackDataSample

from mmrdn.registry import VISUALIZERS
from mmrdn.utils.arrays import to_numpy
from mmrdn.visualization.boxes import check_image, draw_boxes
from mmrdn.visualization.colors import class_color
from mmrdn.visualization.panels import titled_panels
from mmrdn.visualization.support_strip import StripLayout, Support, draw_strip, empty_strip

DataSample = TrackDataSample | DetDataSample


@VISUALIZERS.register_module()
class VIDVisualizer(DetLocalVisualizer):
    """Draw the detections of video frames, and what they rest on.

    It draws with OpenCV, many times faster than matplotlib, and keeps the colour of a class from
    frame to frame. Pictures are BGR in :meth:`draw` and
    :meth:`side_by_side`, RGB in :meth:`add_datasample` as MMEngine has it.

    Args:
        name (str): Name of the instance.
        image (np.ndarray, optional): (H, W, 3) RGB, as MMEngine has it.
        vis_backends (list, optional): Configs of MMEngine's backends.
        save_dir (str, optional): Where these store files.
        classes (Sequence[str], optional): Class names; those of ``dataset_meta`` if not given.
        score_thr (float): Detections below are not drawn.
        num_supports (int): Supports in the strip, at most.
        scale (int): How many times larger pictures are drawn. At 1, those of few pixels have room
            for few labels.
        line_width (float, optional): Of the edges of boxes, in pixels; what suits the size of a
            picture if not given.
        **kwargs: ``bbox_color``, ``text_color``, ``mask_color`` and ``alpha`` of
            :class:`mmdet.visualization.DetLocalVisualizer`. They have no effect on what is drawn
            here: colours are those of the classes, and there are no masks.
    """

    def __init__(
        self,
        name: str = 'visualizer',
        image: np.ndarray | None = None,
        vis_backends: list | None = None,
        save_dir: str | None = None,
        classes: Sequence[str] | None = None,
        score_thr: float = 0.3,
        num_supports: int = 5,
        scale: int = 1,
        line_width: float | None = None,
        **kwargs,
    ) -> None:
        for key, value in dict(num_supports=num_supports, scale=scale).items():
            if value < 1 or value != int(value):
                raise ValueError(f'{key} must be 1, 2 or more, got {value}')
        if line_width is not None:
            if not line_width >= 1:
                raise ValueError(f'line_width must be 1 pixel or more, got {line_width}')
            kwargs['line_width'] = line_width
        super().__init__(name, image, vis_backends, save_dir, **kwargs)
        self._classes = None if classes is None else tuple(classes)
        self.score_thr = score_thr
        self.num_supports = num_supports
        self.scale = scale
        self._line = None if line_width is None else round(line_width)

    @property
    def classes(self) -> Sequence[str]:
        """Class names.

        Raises:
            ValueError: Nobody has said them.
        """
        meta = self.dataset_meta or {}
        for names in (self._classes, meta.get('classes'), meta.get('CLASSES')):
            if names is not None:
                return names
        raise ValueError('VIDVisualizer needs class names: say classes=... or set dataset_meta')

    def draw(
        self,
        image: np.ndarray,
        data_sample: DataSample,
        supports: Mapping[int, np.ndarray] | None = None,
        explain: int | None = None,
    ) -> np.ndarray:
        """Draw the detections of a frame.

        Args:
            image (np.ndarray): (H, W, 3) uint8 BGR.
            data_sample (TrackDataSample): Its ``pred_det_instances``.
            supports (Mapping[int, np.ndarray], optional): Frames of the window, like ``image``, by
                their offset from it. If given, a strip below the picture shows the supports of one
                detection, from the ``top_supports`` of a ``TopSupports`` recorder.
            explain (int, optional): Which detection, as counted in ``pred_det_instances``; the one
                with the highest score if not given.

        Returns:
            np.ndarray: (H', W', 3) uint8 BGR, H' = scale * H and
            W' = scale * W. With ``supports`` H' grows by the strip, which has the same height for
            all pictures of a size.

        Raises:
            ValueError: The picture, a box or a label cannot be drawn, or nothing is known about the
                supports.
        """
        found = self._detections(data_sample)
        if supports is None:
            return self._picture(image, found, self.score_thr)
        chosen = self._explained(data_sample, found, explain)
        row = None if chosen is None else int(data_sample.top_supports.detection_inds[chosen])
        picture = self._picture(image, found, self.score_thr, row)
        layout = StripLayout(*picture.shape[:2], self.num_supports)
        strip = empty_strip(layout)
        if row is not None:
            label, score = int(found.labels[row]), float(found.scores[row])
            strip = draw_strip(
                layout,
                (self.classes[label], f'{score:.2f}'),
                (image, found.bboxes[row].tolist()),
                class_color(label),
                self._supports_of(data_sample, chosen),
                supports,
            )
        return np.vstack([picture, strip])

    def side_by_side(self, image: np.ndarray, samples: Mapping[str, DataSample]) -> np.ndarray:
        """Detections of several models in one frame.

        Args:
            image (np.ndarray): (H, W, 3) uint8 BGR.
            samples (Mapping[str, TrackDataSample]): By title.

        Returns:
            np.ndarray: (H', W', 3) uint8 BGR, a panel for each model below
            its title.
        """
        if not samples:
            raise ValueError('side_by_side needs one data sample or more')
        return titled_panels([self.draw(image, s) for s in samples.values()], list(samples))

    @master_only
    def add_datasample(
        self,
        name: str,
        image: np.ndarray,
        data_sample: DataSample | None = None,
        draw_gt: bool = True,
        draw_pred: bool = True,
        show: bool = False,
        wait_time: float = 0,
        out_file: str | None = None,
        pred_score_thr: float = 0.3,
        step: int = 0,
    ) -> None:
        """Draw a result and hand it to the backends; hooks call this.

        Args:
            name (str): What the picture is called.
            image (np.ndarray): (H, W, 3) uint8 RGB.
            data_sample (TrackDataSample, optional): Ground truth and detections; side by side if it
                has both.
            draw_gt (bool): Whether to draw ``gt_instances``.
            draw_pred (bool): Whether to draw ``pred_det_instances``.
            show (bool): Whether to show the picture in a window.
            wait_time (float): Seconds that the window stays.
            out_file (str, optional): File to write to, instead of handing the picture to the
                backends.
            pred_score_thr (float): Detections below are not drawn.
            step (int): Number of the iteration.
        """
        check_image(image)
        image = np.ascontiguousarray(image[..., ::-1])
        panels = {}
        truth = getattr(data_sample, 'gt_instances', {})
        if draw_gt and 'bboxes' in truth:  # a pipeline may load none
            panels['ground truth'] = self._picture(image, truth)
        if draw_pred and data_sample is not None:
            panels['detections'] = self._picture(image, self._detections(data_sample), pred_score_thr)
        pictures = list(panels.values()) or [image]
        picture = pictures[0]
        if len(pictures) > 1:
            picture = titled_panels(pictures, list(panels))
        rgb = picture[..., ::-1]
        self.set_image(rgb)
        if show:
            self.show(rgb, win_name=name, wait_time=wait_time)
        if out_file is None:
            self.add_image(name, rgb, step)
        elif not cv2.imwrite(str(out_file), picture):
            raise OSError(f'{out_file} cannot be written')

    def _detections(self, data_sample: DataSample) -> InstanceData:
        """What a model of mmtrack or mmdet has found."""
        for key in ('pred_det_instances', 'pred_instances'):
            if key in data_sample:
                return data_sample.get(key)
        raise ValueError('data sample has no pred_det_instances')

    def _picture(
        self, image: np.ndarray, instances: InstanceData, score_thr: float = -np.inf, marked: int | None = None
    ) -> np.ndarray:
        """Draw detections of a score or more, or ground truth."""
        bboxes = getattr(instances.bboxes, 'tensor', instances.bboxes)
        arrays = dict(bboxes=bboxes, labels=instances.labels)
        if 'scores' in instances:
            arrays['scores'] = instances.scores
        if 'instances_id' in instances:
            arrays['ids'] = instances.instances_id
        arrays = {k: to_numpy(v) for k, v in arrays.items()}
        kept = np.arange(len(instances))
        if 'scores' in arrays:  # NaN is kept, to be complained about
            kept = kept[~(arrays['scores'] < score_thr)]
        if marked is not None:
            marked = int(np.flatnonzero(kept == marked)[0])
        return draw_boxes(
            image,
            classes=self.classes,
            scale=self.scale,
            marked=marked,
            line=self._line,
            **{k: v[kept] for k, v in arrays.items()},
        )

    def _explained(self, data_sample: DataSample, found: InstanceData, explain: int | None) -> int | None:
        """The row of ``top_supports`` to be shown, if there is one."""
        if 'top_supports' not in data_sample:
            raise ValueError('data sample has no top_supports: append TopSupports to the recorders of the model')
        rows = data_sample.top_supports.detection_inds.tolist()
        scores = found.scores.tolist()
        shown = [k for k, i in enumerate(rows) if scores[i] >= self.score_thr]
        if explain is None:
            return max(shown, key=lambda k: scores[rows[k]], default=None)
        for k in shown:
            if rows[k] == explain:
                return k
        raise ValueError(f'explain={explain}, but supports are known of detections {[rows[k] for k in shown]} only')

    @staticmethod
    def _supports_of(data_sample: DataSample, row: int) -> Sequence[Support]:
        top = data_sample.top_supports
        return [
            Support(*values)
            for values in zip(top.frame_offsets[row].tolist(), top.bboxes[row].tolist(), top.weights[row].tolist())
        ]
