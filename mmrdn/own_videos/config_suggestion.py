# Copyright (c) mmrdn contributors. All rights reserved.
"""Suggest a config for a user's videos, with the reasons."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmrdn.fileio.video_files import split_frame_path
from mmrdn.own_videos.coco_vid_tables import CocoVidTables
from mmrdn.own_videos.config_bases import ConfigBase
from mmrdn.own_videos.dataset_statistics import DatasetStatistics, statistics_of
from mmrdn.utils.text import shown

_IOU = 0.5  # from which on an anchor fits a box
_VALIDATIONS, _PATIENCE = 6, 3  # of a training; in a row, worse than the best one, that end it
_DRAWN = 12  # frames of a validation


@dataclass(frozen=True)
class ConfigSuggestion:
    """The settings of a child config, and the reasons.

    Attributes:
        classes (tuple[str, ...]): Class names.
        scale (tuple[int, int]): Longest and shortest side of scaled images, pixels.
        anchor_scales (list[float]): Sides of anchors in strides.
        anchor_ratios (list[float]): Height / width.
        temporal_range (int): T, frames.
        num_support (int): K, proposals of a frame.
        batch (int): Images of an iteration.
        iterations (int): Length of the training.
        lr (float): Learning rate.
        val_interval (int): Iterations from one validation to the next.
        draw_interval (int): Frames of a validation from one that is drawn to the next.
        reasons (list[str]): A line for each.
    """

    classes: tuple[str, ...]
    scale: tuple[int, int]
    anchor_scales: list[float]
    anchor_ratios: list[float]
    temporal_range: int
    num_support: int
    batch: int
    iterations: int
    lr: float
    val_interval: int
    draw_interval: int
    reasons: list[str]

    def text(
        self,
        base: ConfigBase,
        train: str,
        val: str,
        images: str,
        load_from: str | None = None,
        from_videos: bool = False,
    ) -> str:
        """Return the config.

        Args:
            base (ConfigBase): The config to start from.
            train (str): COCO-VID JSON of the training.
            val (str): COCO-VID JSON of the validation.
            images (str): Directory of the images of both.
            load_from (str, optional): Checkpoint to start from.
            from_videos (bool): Whether the frames are read from video files.
        """
        load = [
            "load = dict(type='LoadFrameFromVideo')",
            '_base_.train_dataloader.dataset.pipeline[0].transforms[0].update(load)',
            '_base_.val_dataloader.dataset.pipeline[0].update(load)',
        ]
        data = dict(metainfo=dict(classes=self.classes), data_prefix=dict(img_path=images))
        anchors = dict(scales=self.anchor_scales, ratios=self.anchor_ratios)
        detector = dict(
            rpn_head=dict(anchor_generator=anchors), roi_head=dict(bbox_head=dict(num_classes=len(self.classes)))
        )
        model = dict(
            temporal_range=self.temporal_range, support_sampler=dict(num_support=self.num_support), detector=detector
        )
        schedule = dict(optimizer=dict(lr=self.lr))
        hooks = dict(
            checkpoint=dict(interval=self.val_interval, max_keep_ckpts=2),
            early_stop=dict(patience=_PATIENCE),
            visualization=dict(draw=True, interval=self.draw_interval),
        )
        lines = [
            *(f'# {reason}' for reason in self.reasons),
            f'_base_ = {base.path!r}',
            f'data = {_call(data)}',
            *(load if from_videos else []),
            f'scale = dict(scale={self.scale!r})',
            '_base_.train_dataloader.dataset.pipeline[0].transforms[2].update(scale)',
            '_base_.val_dataloader.dataset.pipeline[1].update(scale)',
            f'support = dict(frame_range={self.temporal_range})',
            f'train = dict(ann_file={train!r}, ref_img_sampler=support, **data)',
            f'val = dict(ann_file={val!r}, pipeline=_base_.val_dataloader.dataset.pipeline, **data)',
            f'train_dataloader = dict(batch_size={self.batch}, dataset=train)',
            'val_dataloader = dict(dataset=val)',
            'test_dataloader = val_dataloader',
            f'val_evaluator = dict(ann_file={val!r})',
            'test_evaluator = val_evaluator',
            f'model = {_call(model)}',
            f'train_cfg = dict(max_iters={self.iterations}, val_interval={self.val_interval})',
            f'optim_wrapper = {_call(schedule)}',
            f"param_scheduler = [dict(type='OneCycleLR', eta_max={self.lr!r}, pct_start=0.2, by_epoch=False)]",
            f'default_hooks = {_call(hooks)}',
            f'auto_scale_lr = dict(enable=False, base_batch_size={self.batch})',
            *([f'load_from = {load_from!r}'] if load_from else []),
        ]
        return '\n'.join(lines) + '\n'


def suggest(train: CocoVidTables, val: CocoVidTables, base: ConfigBase, batch: int | None = None) -> ConfigSuggestion:
    """Return a config for some videos.

    Args:
        train (CocoVidTables): COCO-VID file of the training.
        val (CocoVidTables): That of the validation.
        base (ConfigBase): The config to start from.
        batch (int, optional): Images of an iteration; that of the base if not given.

    Raises:
        ValueError: The files have nothing to train with, or the validation lacks a class or has no box.
    """
    statistics = statistics_of(train)
    if not len(statistics.rows):
        raise ValueError(f'{train.path}: no box that a training can use, see check_coco_vid.py')
    batch = batch or base.batch
    reasons: list[str] = []
    classes = _classes(train, val, statistics, reasons)
    scale = _scale(statistics, base, reasons)
    scales, ratios = _anchors(statistics, scale, base, reasons)
    temporal_range = _temporal_range(statistics, base, reasons)
    num_support = _num_support(train, statistics, base, reasons)
    frames = len(np.unique(train.boxes.image[statistics.rows]))
    low, high = base.iterations
    iterations = int(np.clip(round(frames * base.epochs / batch, -2), low, high))
    reasons.append(
        f'{iterations} iterations of {batch} images: each of the {frames} frames with boxes is seen '
        f'{iterations * batch / frames:.1f} times on average (limits: {low} and {high} iterations)'
    )
    factor = (batch / base.lr_batch) ** (0.5 if base.adaptive else 1)
    lr = float(f'{base.lr * factor:.2g}')
    rule = 'the square root of the batch' if base.adaptive else 'the batch'
    reasons.append(f'learning rate {lr:g}: {base.lr:g} at {base.lr_batch} images per iteration, scaled with {rule}')
    val_interval, draw_interval = -(-iterations // _VALIDATIONS), max(1, -(-len(val.images) // _DRAWN))
    reasons.append(
        f'a validation every {val_interval} iterations: the best and the last 2 checkpoints are kept, and one of '
        f'{draw_interval} frames is drawn; {_PATIENCE} in a row that are worse than the best one end the training'
    )
    return ConfigSuggestion(
        classes=classes,
        scale=scale,
        anchor_scales=scales,
        anchor_ratios=ratios,
        temporal_range=temporal_range,
        num_support=num_support,
        batch=batch,
        iterations=iterations,
        lr=lr,
        val_interval=val_interval,
        draw_interval=draw_interval,
        reasons=reasons,
    )


def _classes(train: CocoVidTables, val: CocoVidTables, statistics: DatasetStatistics, reasons: list[str]) -> tuple:
    has_boxes = [boxes > 0 for _, boxes, *_ in statistics.table]
    used = [str(name) for name, has in zip(train.categories.names, has_boxes) if has]
    unused = [train.categories.label(row) for row, has in enumerate(has_boxes) if not has]
    lacking = sorted(set(used) - set(map(str, val.categories.names)))
    if lacking:
        raise ValueError(f'{val.path}: must name the classes of {train.path}, it lacks {shown(", ".join(lacking))}')
    in_val = {name for name, boxes, *_ in statistics_of(val).table if boxes}
    absent = [name for name in used if name not in in_val]
    if len(absent) == len(used):
        raise ValueError(f'{val.path}: no box of the classes {shown(", ".join(used))}, so there would be no mAP50')
    left_out = f'; without a box in {shown(train.path)}, left out: {shown(", ".join(unused))}' if unused else ''
    no_score = f'; without a box in {shown(val.path)}, so without a score: {shown(", ".join(absent))}' if absent else ''
    reasons.append(f'{len(used)} classes{left_out}{no_score}')
    return tuple(used)


def _scale(statistics: DatasetStatistics, base: ConfigBase, reasons: list[str]) -> tuple[int, int]:
    sizes = np.sort(statistics.image_sizes, axis=1)[:, ::-1]
    found, counts = np.unique(sizes, axis=0, return_counts=True)
    longest, shortest = found[counts.argmax()].tolist()
    if not shortest:
        raise ValueError('width and height of the images must be in the file')
    factor = min(base.longest / longest, base.shortest / shortest, base.enlarge)
    scale = (round(longest * factor), round(shortest * factor))
    side = np.sqrt(statistics.sides.prod(axis=1)) * _factors(statistics, scale)
    small = float((side < base.stride).mean())
    reasons.append(
        f'images of {longest}x{shortest} are resized to {scale[0]}x{scale[1]} '
        f'(at most {base.longest}x{base.shortest}); {100 * small:.0f}% of the boxes are then smaller than the '
        f'stride of {base.stride} pixels'
    )
    return scale


def _factors(statistics: DatasetStatistics, scale: tuple[int, int]) -> np.ndarray:
    """Return the factor by which each box is scaled, (n,)."""
    sizes = np.sort(statistics.image_sizes, axis=1)[:, ::-1]
    return (np.array(scale) / np.maximum(sizes, 1)).min(axis=1)


def _anchors(
    statistics: DatasetStatistics, scale: tuple[int, int], base: ConfigBase, reasons: list[str]
) -> tuple[list[float], list[float]]:
    """Sides at even quantiles of the boxes' in powers of two apart or less, ratios at three quantiles."""
    sides = statistics.sides * _factors(statistics, scale)[:, None]
    root, ratio = np.sqrt(sides.prod(axis=1)), sides[:, 1] / sides[:, 0]
    low, high = np.quantile(root, [0.05, 0.95])
    num = int(np.clip(np.ceil(np.log2(high / low)), 2, 4))
    scales = np.unique(np.round(np.geomspace(low, high, 2 * num + 1)[1::2] / base.stride, 1)).tolist()
    ratios = np.unique(np.round(np.quantile(ratio, [1 / 6, 1 / 2, 5 / 6]), 2)).tolist()
    widths = np.concatenate([base.stride * np.array(scales) / r**0.5 for r in ratios])
    heights = np.concatenate([base.stride * np.array(scales) * r**0.5 for r in ratios])
    inter = np.minimum(sides[:, :1], widths) * np.minimum(sides[:, 1:], heights)
    ious = inter / (sides.prod(axis=1)[:, None] + widths * heights - inter)
    fit = float((ious.max(axis=1) >= _IOU).mean())
    reasons.append(
        f'anchors of {", ".join(f"{base.stride * s:.0f}" for s in scales)} pixels, height / width {ratios}: '
        f'90% of the boxes are {low:.0f} to {high:.0f} pixels; {100 * fit:.0f}% have IoU {_IOU} or more with an anchor '
        'at their center'
    )
    return scales, ratios


def _temporal_range(statistics: DatasetStatistics, base: ConfigBase, reasons: list[str]) -> int:
    """A quarter of a track on each side, and no further than a fast object stays near its place."""
    length = float(np.median(statistics.track_lengths)) if len(statistics.track_lengths) else None
    speed = float(np.quantile(statistics.shifts, 0.9)) if len(statistics.shifts) else None
    if length is None:
        length, said = float(np.median(statistics.video_lengths)), 'there are no tracks; the median video has'
    else:
        said = 'the median track has'
    bounds = [base.max_range, round(length / 4)]
    reason = f'{said} {length:.0f} frames, of which a quarter is used on each side'
    if speed:
        bounds.append(round(1 / speed))
        reason += f'; 90% of the objects take {1 / speed:.0f} frames or more to move by their size'
    temporal_range = max(2, min(bounds))
    reasons.append(f'T = {temporal_range} frames (at most {base.max_range}): {reason}')
    return temporal_range


def _num_support(train: CocoVidTables, statistics: DatasetStatistics, base: ConfigBase, reasons: list[str]) -> int:
    boxes = np.bincount(train.boxes.image[statistics.rows])
    many = float(np.quantile(boxes[boxes > 0], 0.95))
    num_support = int(min(max(base.num_support, np.ceil(4 * many)), base.num_proposals))
    reasons.append(
        f'K = {num_support} (at least {base.num_support}): four proposals for each box of a frame with '
        f'{many:.0f} boxes, which 95% of the frames do not exceed'
    )
    return num_support


def find_images(tables: CocoVidTables) -> str:
    """Return the directory of a file's images: beside the file, or in a directory there.

    Raises:
        ValueError: It is not there.
    """
    root = Path(tables.path).parent
    name = next(iter(tables.images.names), None)
    if name:
        for directory in [root, *sorted(path for path in root.glob('*') if path.is_dir())]:
            if (directory / name).is_file() or split_frame_path(directory / name):
                return directory.as_posix()
    raise ValueError(f'{tables.path}: its images are not beside it; name their directory by --images')


def in_video_files(tables: CocoVidTables, images: str) -> bool:
    """Return whether the frames of a file are in video files, by the first one."""
    name = next(iter(tables.images.names), '')
    return split_frame_path(Path(images, name)) is not None


def _call(value: Any) -> str:
    """Return a tree of dicts as a call of ``dict``, as configs have it."""
    if isinstance(value, dict):
        return f'dict({", ".join(f"{key}={_call(item)}" for key, item in value.items())})'
    return repr(value)


def check_load_from(path: str | None) -> None:
    """Raise FileNotFoundError unless a checkpoint is there, or a URL."""
    if path and '://' not in path and not os.path.isfile(path):
        raise FileNotFoundError(f'checkpoint {path} does not exist')
