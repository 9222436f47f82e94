# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Mapping, Sequence
from dataclasses import replace

import cv2
import mmtrack.visualization  # noqa: F401  (its names resolve once they are in mmtrack's registry node)
import numpy as np
from mmdet.structures import DetDataSample
from mmdet.visualization import DetLocalVisualizer
from mmengine.dist import master_only
from mmtrack.structures import TrackDataSample

from mmrdn.models.vid.data_samples import to_frame_detections
from mmrdn.registry import VISUALIZERS
from mmrdn.structures import FrameAnnotations, FrameDetections
from mmrdn.visualization.canvas import check_image, titled_panels
from mmrdn.visualization.frame_drawer import FrameDrawer

DataSample = TrackDataSample | DetDataSample


@VISUALIZERS.register_module()
class VIDVisualizer(DetLocalVisualizer):
    """A :class:`FrameDrawer` for MMEngine: it draws data samples, and serves hooks and backends.

    It draws with OpenCV, many times faster than matplotlib, and keeps the color of a class from
    frame to frame. Images are BGR in :meth:`draw` and :meth:`side_by_side`, RGB in
    :meth:`add_datasample` as MMEngine has it.

    Args:
        name (str): Name of the instance.
        image (np.ndarray, optional): See MMEngine's visualizers.
        vis_backends (Sequence[str | dict], optional): Where scores and images go, by name or as a config
            of each backend: ``LocalVisBackend``, ``TensorboardVisBackend``, ``WandbVisBackend``.
        *args: ``save_dir`` of MMEngine's visualizers.
        classes (Sequence[str], optional): Class names; those of ``dataset_meta`` if not given.
        score_thr (float): Score below which detections are not drawn.
        num_supports (int): Largest number of supports in the strip.
        scale (int): Factor by which images are drawn larger.
        line_width (float, optional): Width of the edges of boxes, in pixels; a width that suits the
            size of the image if not given.
        font (str, optional): Font file of class names, see :class:`FrameDrawer`.
        **kwargs: The same by name, and ``bbox_color``, ``text_color``, ``mask_color`` and ``alpha``
            of :class:`mmdet.visualization.DetLocalVisualizer`. These have no effect on the images
            drawn here: colors are those of the classes, and there are no masks.
    """

    def __init__(
        self,
        name: str = 'visualizer',
        image: np.ndarray | None = None,
        vis_backends: str | Sequence[str | dict] | None = None,
        *args,
        classes: Sequence[str] | None = None,
        score_thr: float = 0.3,
        num_supports: int = 5,
        scale: int = 1,
        line_width: float | None = None,
        font: str | None = None,
        **kwargs,
    ) -> None:
        self._classes = None if classes is None else tuple(classes)
        self._drawer = FrameDrawer((), score_thr, num_supports, scale, line_width, font)
        if line_width is not None:
            kwargs['line_width'] = line_width
        if isinstance(vis_backends, (str, list, tuple)):  # of names too, from --cfg-options
            backends = [vis_backends] if isinstance(vis_backends, str) else vis_backends
            vis_backends = [dict(type=backend) if isinstance(backend, str) else backend for backend in backends]
        super().__init__(name, image, vis_backends, *args, **kwargs)

    @property
    def drawer(self) -> FrameDrawer:
        """FrameDrawer: The drawer, with the class names that are known so far.

        Raises:
            ValueError: No class names are known.
        """
        meta = self.dataset_meta or {}
        for names in (self._classes, meta.get('classes'), meta.get('CLASSES')):
            if names is not None:
                return replace(self._drawer, classes=names)
        raise ValueError('VIDVisualizer needs class names: pass classes=... or set dataset_meta')

    def draw(
        self,
        image: np.ndarray,
        data_sample: DataSample,
        supports: Mapping[int, np.ndarray] | None = None,
        explain: int | None = None,
    ) -> np.ndarray:
        """Draw the detections of a frame: see :meth:`FrameDrawer.draw`.

        The data sample has ``pred_det_instances`` and, for the strip, the ``top_supports`` of a
        ``TopSupports`` recorder.
        """
        return self.drawer.draw(image, _to_detections(data_sample), supports, explain)

    def side_by_side(self, image: np.ndarray, samples: Mapping[str, DataSample]) -> np.ndarray:
        """Draw the detections of several models in one frame.

        Args:
            image (np.ndarray): (H, W, 3) uint8 BGR.
            samples (Mapping[str, TrackDataSample]): Results by title.

        Returns:
            np.ndarray: (H', W', 3) uint8 BGR, a panel for each model below its title.
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
            name (str): Name of the image.
            image (np.ndarray): (H, W, 3) uint8 RGB.
            data_sample (TrackDataSample, optional): Ground truth and detections; side by side if it
                has both.
            draw_gt (bool): Whether to draw ``gt_instances``.
            draw_pred (bool): Whether to draw ``pred_det_instances``.
            show (bool): Whether to show the image in a window.
            wait_time (float): Seconds that the window stays.
            out_file (str, optional): File to write to, instead of handing the image to the
                backends.
            pred_score_thr (float): Score below which detections are not drawn.
            step (int): Number of the iteration.
        """
        check_image(image)
        image = np.ascontiguousarray(image[..., ::-1])
        panels = {}
        truth = getattr(data_sample, 'gt_instances', {})
        if draw_gt and 'bboxes' in truth:  # a pipeline may load none
            bboxes = getattr(truth.bboxes, 'tensor', truth.bboxes)
            boxes = FrameAnnotations(bboxes=bboxes, labels=truth.labels)
            panels['ground truth'] = self.drawer.draw_boxes(image, boxes)
        if draw_pred and data_sample is not None:
            drawer = replace(self.drawer, score_thr=pred_score_thr)
            panels['detections'] = drawer.draw(image, _to_detections(data_sample))
        drawn = next(iter(panels.values()), image)
        if len(panels) > 1:
            drawn = titled_panels(list(panels.values()), list(panels))
        rgb = drawn[..., ::-1]
        self.set_image(rgb)
        if show:
            self.show(rgb, win_name=name, wait_time=wait_time)
        if out_file is None:
            self.add_image(name, rgb, step)
        elif not cv2.imwrite(str(out_file), drawn):
            raise OSError(f'{out_file} cannot be written')


def _to_detections(data_sample: DataSample) -> FrameDetections:
    """Convert the detections of a model of mmtrack or mmdet."""
    if 'pred_instances' in data_sample and 'pred_det_instances' not in data_sample:
        return to_frame_detections(dict(pred_det_instances=data_sample.pred_instances))
    return to_frame_detections(data_sample)
