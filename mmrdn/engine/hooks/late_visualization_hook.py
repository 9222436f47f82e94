# Copyright (c) mmrdn contributors. All rights reserved.
import os.path as osp
from collections.abc import Sequence
from pathlib import Path

import mmcv
from mmengine.runner import Runner
from mmengine.utils import mkdir_or_exist
from mmtrack.engine.hooks import TrackVisualizationHook
from mmtrack.structures import TrackDataSample

from mmrdn.datasets.transforms import LoadFrameFromVideo
from mmrdn.registry import HOOKS


@HOOKS.register_module()
class LateVisualizationHook(TrackVisualizationHook):
    """mmtrack's hook for detectors whose results are delayed, each image named after its frame.

    An iteration may return no result, or those of many earlier frames at once; mmtrack expects the
    result of the current frame. Here every ``interval``-th result is drawn. Backends get it by the name
    ``val_VIDEO_FRAME`` with the number of iterations that were trained as the step, or as
    ``test_VIDEO_FRAME``; ``test_out_dir`` gets a directory for each video. Frames are read as
    :class:`LoadFrameFromVideo` does, those in video files too; these are drawn as PNG.

    Args:
        *args: See mmtrack's hook.
        file_client_args (dict, optional): Arguments of MMEngine's file client for images.
        **kwargs: See mmtrack's hook.
    """

    def __init__(self, *args, file_client_args: dict | None = None, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self._loader = LoadFrameFromVideo(file_client_args=file_client_args)

    def _before_epoch(self, runner: Runner, mode: str = 'train') -> None:
        """Begin to count."""
        self._results = 0
        self._paths: dict[str, str] = {}  # of images, by name

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict, outputs: Sequence[TrackDataSample]
    ) -> None:
        """Draw results of a validation iteration."""
        trained = runner.message_hub.get_info('iter') + 1 if 'iter' in runner.message_hub.runtime_info else 0
        for sample in self._due(outputs):
            name = self._name(sample)
            self._draw(sample, name=f'val_{name.replace("/", "_")}', step=trained)

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict, outputs: Sequence[TrackDataSample]
    ) -> None:
        """Draw results of a test iteration."""
        for sample in self._due(outputs):
            name, out_file = self._name(sample), None
            if self.test_out_dir is not None:
                suffix = Path(sample.img_path).suffix or '.png'
                out_file = osp.join(runner.work_dir, runner.timestamp, self.test_out_dir, name + suffix)
                mkdir_or_exist(osp.dirname(out_file))
            self._draw(sample, name=f'test_{name.replace("/", "_")}', out_file=out_file)

    def _due(self, outputs: Sequence[TrackDataSample]) -> list[TrackDataSample]:
        """Count results; return those to draw."""
        first, self._results = self._results + 1, self._results + len(outputs)
        return [sample for i, sample in enumerate(outputs, first) if self.draw and i % self.interval == 0]

    def _name(self, sample: TrackDataSample) -> str:
        """Return ``VIDEO/FRAME`` of a result, with the image's id should another frame have that name."""
        path = Path(sample.img_path)
        name = f'{path.parent.name}/{path.stem}'
        if self._paths.setdefault(name, sample.img_path) != sample.img_path:
            name += f'_{sample.img_id}'
        return name

    def _draw(self, sample: TrackDataSample, name: str, **kwargs) -> None:
        image = mmcv.bgr2rgb(self._loader.transform(dict(img_path=sample.img_path))['img'])
        self._visualizer.add_datasample(
            osp.basename(sample.img_path) if self.show else name,
            image,
            data_sample=sample,
            show=self.show,
            wait_time=self.wait_time,
            pred_score_thr=self.score_thr,
            **kwargs,
        )
