# Copyright (c) mmrdn contributors. All rights reserved.
import hashlib
import json
import os.path as osp
import shutil
from pathlib import Path
from typing import Any

import torch
from mmdet.structures.bbox import BaseBoxes
from mmengine.config import Config

from mmrdn.fileio.checkpoint import load_checkpoint_file
from mmrdn.fileio.download import file_hash
from mmrdn.fileio.whole_file import whole_file
from mmrdn.utils.dataset_configs import leaf_datasets


class FinishedVideos:
    """Results of the videos that a test has finished, one file each, written as soon as a video is done.

    So nothing has to be written when a test ends early. Videos with a bad frame are not kept.

    Args:
        work_dir (str): Directory of the test.
        cfg (Config): Its config.
        checkpoint (str, optional): Its checkpoint. Results are of this checkpoint, and of model, data
            set, precision and custom hooks of this config; whatever else it holds may change.
    """

    def __init__(self, work_dir: str, cfg: Config, checkpoint: str | None) -> None:
        self.work_dir = Path(work_dir)
        self.directory = self.work_dir / f'test-{_identity(cfg, checkpoint)}.partial'
        self._samples: list[dict] = []  # of the current video

    def __len__(self) -> int:
        return sum(1 for _ in self.directory.glob('[!.]*.pth'))

    def __contains__(self, video_id: Any) -> bool:
        return self._path(video_id).is_file()

    def _path(self, video_id: Any) -> Path:
        return self.directory / f'{hashlib.sha256(repr(video_id).encode()).hexdigest()[:24]}.pth'

    def add(self, sample: dict) -> None:
        """Take the result of the next frame.

        Args:
            sample (dict): Data sample as metrics get it. Without ``video_id`` and ``video_length``
                it is not kept. Videos whose frames come out of order are not kept either.
        """
        video_id, length = sample.get('video_id'), sample.get('video_length')
        if video_id is None or length is None:
            return
        if self._samples and video_id != self._samples[-1]['video_id']:
            self._samples = []
        self._samples.append(_plain(sample))
        if len(self._samples) == length:
            samples, self._samples = self._samples, []
            if not any('bad_frame' in sample for sample in samples):
                with whole_file(self._path(video_id)) as file:
                    torch.save(dict(samples=samples), file)

    def load(self, video_id: Any) -> list[dict]:
        """Return the results of a finished video.

        Raises:
            ValueError: The file is damaged.
        """
        path = self._path(video_id)
        samples = load_checkpoint_file(path, 'cpu').get('samples')
        if not isinstance(samples, list) or any(s.get('video_id') != video_id for s in samples):
            raise ValueError(f'{path} does not hold the results of video {video_id}: remove it')
        return samples

    def clear(self) -> None:
        """Remove the kept results."""
        shutil.rmtree(self.directory, ignore_errors=True)


def _identity(cfg: Config, checkpoint: str | None) -> str:
    """Return a hash of everything that the results of a frame depend on, except its image."""
    loader = cfg.test_dataloader
    leaves = leaf_datasets(loader.dataset)
    annotations = [osp.join(leaf.get('data_root') or '', leaf.get('ann_file') or '') for leaf in leaves]
    parts = [
        cfg.model,
        cfg.get('data_preprocessor'),
        loader.dataset,
        loader.get('batch_size'),
        cfg.test_cfg.get('fp16', False),
        cfg.get('custom_hooks'),  # one may change the model, as ChannelsLastHook does
        *(file_hash(path) if path and osp.isfile(path) else path for path in (*annotations, checkpoint)),
    ]
    return hashlib.sha256(json.dumps(parts, default=str, sort_keys=True).encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    """Return a value without objects that only unpickling could read, and without views of others."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(item) for item in value)
    if isinstance(value, BaseBoxes):
        value = value.tensor
    return value.detach().cpu().clone() if isinstance(value, torch.Tensor) else value
