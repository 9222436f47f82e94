# Copyright (c) mmrdn contributors. All rights reserved.
"""Images of training samples: key frame and supports with their boxes."""

import itertools
import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmrdn.datasets import SeededInfiniteSampler
from mmrdn.registry import DATASETS
from mmrdn.structures import FrameAnnotations
from mmrdn.video import ImageFolderWriter
from mmrdn.visualization import FrameDrawer, titled_panels


def browse_dataset(
    cfg: Config, output_dir: str | os.PathLike, max_samples: int = 50, overwrite: bool = False
) -> list[Path]:
    """Draw the first samples that a training would see.

    Args:
        cfg (Config): Config, whose ``train_dataloader.dataset`` is built.
        output_dir (str or Path): Directory of the images.
        max_samples (int): Number of samples; the whole data set at most.
        overwrite (bool): Whether the directory may hold something already.

    Returns:
        list[Path]: The images, named after their number in the training and their key frame.

    Raises:
        ValueError: ``max_samples`` is not positive, the config has no training data, or these are
            faulty.
        FileExistsError: The directory is not empty, or a file.
    """
    if max_samples < 1:
        raise ValueError(f'max_samples must be at least 1, got {max_samples}')
    if 'train_dataloader' not in cfg:
        raise ValueError('the config has no train_dataloader')
    output_dir = Path(os.path.abspath(output_dir))
    ImageFolderWriter.refuse_existing(output_dir, overwrite)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope') or 'mmrdn'):
        dataset = DATASETS.build(cfg.train_dataloader.dataset)
    seed = cfg.get('randomness', {}).get('seed') or 0
    order = SeededInfiniteSampler(dataset, seed=seed)
    output_dir.mkdir(parents=True, exist_ok=True)
    paths = []
    for index in itertools.islice(order, min(max_samples, len(dataset))):
        sample = dataset[index]
        name = Path(sample['data_samples'].img_path).stem
        paths.append(output_dir / f'{index.position:06d}_{name}.png')
        if not cv2.imwrite(str(paths[-1]), draw_sample(sample, dataset.metainfo['classes'])):
            raise OSError(f'{paths[-1]} cannot be written')
    return paths


def draw_sample(sample: dict, classes: Sequence[str]) -> np.ndarray:
    """Draw key frame and supports of a training sample in a row.

    Args:
        sample (dict): ``inputs`` and ``data_samples`` as ``PackTrackInputs`` makes them, images in
            BGR.
        classes (Sequence[str]): Class names.

    Returns:
        np.ndarray: (H', W', 3) uint8 BGR.
    """
    data_sample = sample['data_samples']
    panels, titles = [], []
    for prefix, word in (('', 'key'), ('ref_', 'support')):
        if f'{prefix}img' not in sample['inputs']:
            continue
        truth = getattr(data_sample, f'{prefix}gt_instances')
        numbers, flags = (data_sample.metainfo.get(f'{prefix}{name}') for name in ('frame_id', 'is_annotated'))
        for i, image in enumerate(sample['inputs'][f'{prefix}img']):
            shown = truth[truth.map_instances_to_img_idx == i]
            boxes = FrameAnnotations(bboxes=getattr(shown.bboxes, 'tensor', shown.bboxes), labels=shown.labels)
            panels.append(FrameDrawer(classes).draw_boxes(image.permute(1, 2, 0).numpy().astype(np.uint8), boxes))
            number, is_annotated = (values[i] if isinstance(values, list) else values for values in (numbers, flags))
            title = word if number is None else f'{word} {number}'
            titles.append(f'{title}, not annotated' if is_annotated is False else title)
    return titled_panels(panels, titles)
