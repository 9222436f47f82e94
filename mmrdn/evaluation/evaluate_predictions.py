# Copyright (c) mmrdn contributors. All rights reserved.

from mmrdn.evaluation.metrics.vid_metric import SETTINGS, VIDMetric
from mmrdn.fileio.coco_vid import parse_frames, read_coco_vid


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
    coco = read_coco_vid(predictions)
    info = coco.get('info')
    info = info if isinstance(info, dict) else dict()
    settings = {key: info[key] for key in SETTINGS if key in info}
    try:
        metric = VIDMetric(ann_file=ann_file, **settings)
    except (AttributeError, TypeError) as e:
        raise ValueError(f"{predictions}: 'info' holds unusable settings of the metric, {settings} ({e})") from None
    classes = [category['name'] for category in coco['categories']]
    metric.dataset_meta = dict(classes=classes)
    frames = parse_frames(coco, predictions, classes, with_scores=True)
    metric.process(None, [dict(frame, pred_det_instances=frame) for frame in frames.values()])
    metrics, table = metric.score(metric.results)
    return {f'{metric.prefix}/{k}': v for k, v in metrics.items()}, table
