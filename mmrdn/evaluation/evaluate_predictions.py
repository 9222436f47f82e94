# Copyright (c) mmrdn contributors. All rights reserved.

from mmrdn.evaluation.metrics.vid_metric import SETTINGS, VIDMetric
from mmrdn.fileio.coco_vid import CocoVidFile


def evaluate_predictions(predictions: str, ann_file: str) -> tuple[dict[str, float], str]:
    """Evaluate a file that ``outfile_prefix`` wrote, without the model.

    The settings of the metric are those stored in the file, or the defaults.

    Args:
        predictions (str): COCO-VID JSON with a ``score`` per annotation.
        ann_file (str): COCO-VID JSON with the ground truth.

    Returns:
        tuple[dict[str, float], str]: Metrics with prefix, and the table.

    Raises:
        ValueError: A file is malformed or the two don't fit together.
        OSError: A file can't be read.
    """
    file = CocoVidFile(predictions, annotations=('bbox', 'score'))
    info = file.data.get('info')
    settings = {key: info[key] for key in SETTINGS if key in info} if isinstance(info, dict) else {}
    try:
        metric = VIDMetric(ann_file=ann_file, **settings)
    except (AttributeError, TypeError) as e:
        raise ValueError(f"{predictions}: 'info' holds unusable settings of the metric, {settings} ({e})") from None
    metric.dataset_meta = dict(classes=list(file.categories))
    metrics, table = metric.score([dict(frame=frame) for frame in file.predictions(metric.classes).values()])
    return {f'{metric.prefix}/{key}': value for key, value in metrics.items()}, table
