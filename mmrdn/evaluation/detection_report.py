# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from mmrdn.evaluation.functional import PrecisionRecall, confusion_matrix, precision_recall
from mmrdn.fileio.json_files import write_json
from mmrdn.fileio.predictions import numbered_path
from mmrdn.fileio.whole_file import whole_file
from mmrdn.structures import FrameAnnotations, FrameDetections

_RECALLS = np.linspace(0, 1, 101)
_KIND = 'report.json'
_MOST_NUMBERS = 12  # classes whose counts fit into the plot


class DetectionReport:
    """Files that show what a detector gets wrong: precision-recall curves and the confusion matrix.

    Args:
        prefix (str): Path of the files without ``.report.json``, ``.precision_recall.png`` and
            ``.confusion_matrix.png``; further evaluations of a run get a number before that.
        score_thr (float): Lowest score of detections that the confusion matrix counts.

    Raises:
        FileExistsError: The report is there already.
        ValueError: ``score_thr`` is not from 0 to 1.
    """

    def __init__(self, prefix: str, score_thr: float = 0.5) -> None:
        if not 0 <= score_thr <= 1:
            raise ValueError(f'score_thr of the report must be from 0 to 1, got {score_thr}')
        if numbered_path(prefix, _KIND).exists():
            raise FileExistsError(f'{prefix}.{_KIND} exists; move it or choose another prefix of the report')
        self.prefix = prefix
        self.score_thr = score_thr

    def write(
        self,
        frames: Sequence[FrameDetections],
        annotations: Sequence[FrameAnnotations],
        classes: Sequence[str],
        iou_thr: float,
        pixel_tolerance: float,
    ) -> Path:
        """Write the files of an evaluation.

        Args:
            frames (Sequence[FrameDetections]): Detections of F frames.
            annotations (Sequence[FrameAnnotations]): Ground truth of the same frames.
            classes (Sequence[str]): C class names in the order of the labels.
            iou_thr (float): See :func:`vid_map`.
            pixel_tolerance (float): See :func:`vid_map`.

        Returns:
            Path: The JSON: for each class ``num_gt``, ``ap``, and ``precision`` and ``score`` at
            ``recall`` 0, 0.01, ..., 1; ``confusion_matrix`` with a row for each true class.
        """
        curves = precision_recall(frames, annotations, len(classes), iou_thr, pixel_tolerance)
        matrix = confusion_matrix(frames, annotations, len(classes), self.score_thr, iou_thr, pixel_tolerance)
        path = numbered_path(self.prefix, _KIND, free=True)
        for name, figure in (
            ('precision_recall', plot_precision_recall(curves, classes)),
            ('confusion_matrix', plot_confusion_matrix(matrix, classes, self.score_thr)),
        ):
            with whole_file(path.with_name(path.name.replace(_KIND, f'{name}.png'))) as file:
                figure.savefig(file, format='png')
        content = dict(
            score_thr=self.score_thr,
            recall=_RECALLS.round(2).tolist(),
            classes={name: _sampled(curve) for name, curve in zip(classes, curves)},
            confusion_matrix=dict(rows=[*classes, 'nothing'], columns=[*classes, 'missed'], counts=matrix.tolist()),
        )
        write_json(content, path)
        return path


def _sampled(curve: PrecisionRecall) -> dict:
    """Return what the JSON says of a class."""
    if not curve.num_gt:
        return dict(num_gt=0, ap=None, precision=None, score=None)
    precision, scores = curve.at(_RECALLS)
    ap = round(curve.average_precision, 4)
    return dict(num_gt=curve.num_gt, ap=ap, precision=precision.round(4).tolist(), score=scores.round(4).tolist())


def plot_precision_recall(curves: Sequence[PrecisionRecall], classes: Sequence[str]) -> Figure:
    """Plot the interpolated curve of each class that has ground truth, the best first.

    Args:
        curves (Sequence[PrecisionRecall]): Curves of C classes.
        classes (Sequence[str]): C class names.
    """
    figure = Figure(figsize=(8, 5), dpi=150, layout='constrained')
    axes = figure.subplots()
    shown = sorted(
        ((curve, name) for curve, name in zip(curves, classes) if curve.num_gt),
        key=lambda pair: -pair[0].average_precision,
    )
    colors = matplotlib.colormaps['turbo'](np.linspace(0.05, 0.95, max(len(shown), 1)))
    for i, ((curve, name), color) in enumerate(zip(shown, colors)):
        style = ('-', '--', ':')[i % 3]
        axes.plot(_RECALLS, curve.at(_RECALLS)[0], style, color=color, label=f'{curve.average_precision:.3f} {name}')
    axes.set(xlabel='recall', ylabel='precision', xlim=(0, 1), ylim=(0, 1.02), title='IoU 0.5, AP beside each class')
    axes.grid(color='0.9')
    if shown:
        legend = figure.legend(loc='outside right upper', frameon=False, fontsize='small')
        for text in legend.texts:
            text.set_parse_math(False)  # a $ is a $
    return figure


def plot_confusion_matrix(matrix: np.ndarray, classes: Sequence[str], score_thr: float) -> Figure:
    """Plot the shares of each true class, with the counts where there are few classes.

    Args:
        matrix (np.ndarray): (C + 1, C + 1) counts, see :func:`confusion_matrix`.
        classes (Sequence[str]): C class names.
        score_thr (float): Lowest score that counted.
    """
    side = max(4.5, 0.35 * len(matrix) + 2)
    figure = Figure(figsize=(side + 1, side), dpi=150, layout='constrained')
    axes = figure.subplots()
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap='Blues', vmin=0, vmax=1)
    figure.colorbar(image, label='share of the row')
    inds = range(len(matrix))
    axes.set_xticks(inds, [*classes, 'missed'], rotation=90, parse_math=False)
    axes.set_yticks(inds, [*classes, 'nothing'], parse_math=False)
    axes.set(xlabel='detected as', ylabel='ground truth', title=f'detections with a score of {score_thr:g} or more')
    if len(classes) <= _MOST_NUMBERS:
        for (row, column), count in np.ndenumerate(matrix):
            color = 'white' if shares[row, column] > 0.5 else 'black'
            axes.text(column, row, str(count), ha='center', va='center', color=color, fontsize='x-small')
    return figure
