# Copyright (c) mmrdn contributors. All rights reserved.
"""A data set as one HTML file: findings, counts, charts and a contact sheet."""

import base64
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import jinja2
import numpy as np
from matplotlib.figure import Figure

from mmrdn.fileio.image_files import read_image
from mmrdn.fileio.video_files import VideoFrames, split_frame_path
from mmrdn.own_videos.coco_vid_tables import CocoVidTables
from mmrdn.own_videos.dataset_statistics import MOTION_BORDERS, DatasetStatistics, statistics_of
from mmrdn.own_videos.findings import ERRORS, WARNINGS
from mmrdn.structures import FrameAnnotations
from mmrdn.visualization import FrameDrawer

_VIDEOS, _FRAMES, _WIDTH = 24, 5, 320  # of the contact sheet; pixels
_TICKS = [digit * 10.0**power for power in range(-1, 6) for digit in (1, 2, 5)]
_SHOWN = 20  # findings of a kind
_COLOR, _BORDER = '#3b7dd8', '#c0392b'


def report_html(tables: Sequence[CocoVidTables], roots: Sequence[str | os.PathLike]) -> str:
    """Return the report of some COCO-VID files.

    All text of the files is escaped, and charts and images are part of the page: it loads nothing.

    Args:
        tables (Sequence[CocoVidTables]): The files, checked.
        roots (Sequence[str or Path]): Directory of the images of each; empty for no images.
    """
    environment = jinja2.Environment(autoescape=True, loader=jinja2.FileSystemLoader(Path(__file__).parent))
    files = [_section(of_file, root) for of_file, root in zip(tables, roots)]
    return environment.get_template('report.html').render(files=files)


def _section(tables: CocoVidTables, root: str | os.PathLike) -> dict[str, Any]:
    statistics = statistics_of(tables)
    findings = [
        dict(
            level=level,
            kind=kind,
            text=text,
            count=tables.findings.counts[kind],
            shown=[str(finding) for finding in tables.findings.kept[kind][:_SHOWN]],
        )
        for level, kinds in (('error', ERRORS), ('warning', WARNINGS))
        for kind, text in kinds.items()
        if tables.findings.counts[kind]
    ]
    return dict(
        path=tables.path,
        counts=dict(
            videos=len(tables.videos),
            images=len(tables.images),
            boxes=len(tables.boxes),
            tracks=len(statistics.track_lengths),
            classes=len(tables.categories),
        ),
        findings=findings,
        classes=statistics.table,
        most=max([boxes for _, boxes, _, _ in statistics.table], default=0) or 1,
        motion=statistics.motion_shares(),
        charts=_charts(statistics),
        sheet=_contact_sheet(tables, root) if root else [],
    )


def _charts(statistics: DatasetStatistics) -> list[tuple[str, str]]:
    """Return titles and images of the histograms."""
    side = np.sqrt(statistics.sides.prod(axis=1))
    motion = statistics.motion_ious[~np.isnan(statistics.motion_ious)]
    charts = [
        ('Box sizes: root of the area, pixels', side, _log_bins(side), ()),
        ('Boxes: height / width', statistics.sides[:, 1] / statistics.sides[:, 0], np.geomspace(0.1, 10, 41), ()),
        ('Track lengths: frames', statistics.track_lengths, _log_bins(statistics.track_lengths), ()),
        ('Motion IoU: fast | medium | slow', motion, np.linspace(0, 1, 41), MOTION_BORDERS),
    ]
    return [(title, _histogram(*chart)) for title, *chart in charts]


def _log_bins(values: np.ndarray) -> np.ndarray:
    low, high = (values.min(), values.max()) if len(values) else (1, 10)
    return np.geomspace(max(low, 1) * 0.95, max(high, 2) * 1.05, 31)


def _histogram(values: np.ndarray, bins: np.ndarray, borders: Sequence[float]) -> str:
    figure = Figure(figsize=(5, 2.4), layout='constrained')
    axes = figure.subplots()
    axes.hist(np.clip(values, bins[0], bins[-1]), bins, color=_COLOR)
    if not borders:
        axes.set_xscale('log')
        ticks = [tick for tick in _TICKS if bins[0] <= tick <= bins[-1]]
        axes.set_xticks(ticks, [f'{tick:g}' for tick in ticks])
        axes.minorticks_off()
    for border in borders:
        axes.axvline(border, color=_BORDER, linestyle='--')
        axes.text(border, 1.01, f'{border}', color=_BORDER, ha='center', transform=axes.get_xaxis_transform())
    axes.spines[['top', 'right']].set_visible(False)
    out = io.BytesIO()
    figure.savefig(out, format='svg')
    return _data_url(out.getvalue(), 'svg+xml')


def _contact_sheet(tables: CocoVidTables, root: str | os.PathLike) -> list[dict[str, Any]]:
    """Return names and images of some videos, spread over the file."""
    images, boxes = tables.images, tables.boxes
    with_frames = np.unique(images.video)
    order = np.lexsort((images.frame_ids, images.video))
    by_image = np.argsort(boxes.image, kind='stable')
    sheet = []
    for video in _spread(with_frames, _VIDEOS).tolist():
        low, high = np.searchsorted(images.video[order], [video, video + 1])
        frames = []
        for row in _spread(order[low:high], _FRAMES).tolist():
            first, last = np.searchsorted(boxes.image[by_image], [row, row + 1])
            title = f'frame {images.frame_ids[row]}'
            frames.append((title, _image_url(tables, Path(root), row, by_image[first:last])))
        sheet.append(dict(name=tables.videos.label(video), frames=frames))
    return sheet


def _spread(values: np.ndarray, num: int) -> np.ndarray:
    """Return at most ``num`` of the values, at even distances."""
    return values[np.unique(np.linspace(0, len(values) - 1, min(num, len(values))).round().astype(int))]


def _image_url(tables: CocoVidTables, root: Path, row: int, rows: np.ndarray) -> str:
    """Return a small image with its boxes; empty if the file cannot be read."""
    try:
        image = _read_frame(root / str(tables.images.names[row]))
    except (IndexError, OSError, ValueError):
        return ''
    scale = _WIDTH / image.shape[1]
    image = cv2.resize(image, (_WIDTH, max(1, round(image.shape[0] * scale))), interpolation=cv2.INTER_AREA)
    bboxes = tables.boxes.bboxes[rows] * scale
    bboxes[:, 2:] += bboxes[:, :2]
    right = (bboxes[:, 2:] > bboxes[:, :2]).all(axis=1)
    classes = [tables.categories.label(row) for row in range(len(tables.categories))]
    shown = FrameAnnotations(bboxes=bboxes[right], labels=tables.boxes.category[rows][right])
    drawn = FrameDrawer(classes).draw_boxes(image, shown)
    return _data_url(cv2.imencode('.jpg', drawn, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes(), 'jpeg')


def _read_frame(path: Path) -> np.ndarray:
    """Read an image, or a frame of a video file."""
    frame = split_frame_path(path)
    if frame is None:
        return read_image(path)
    frames = VideoFrames(frame[0])
    try:
        return frames[frame[1]]
    finally:
        frames.close()


def _data_url(content: bytes, kind: str) -> str:
    return f'data:image/{kind};base64,{base64.b64encode(content).decode()}'
