# Copyright (c) mmrdn contributors. All rights reserved.
from typing import Any

import numpy as np


def sort_key(img_id: Any) -> tuple:
    """Numbers before strings, so that ids of both kinds can be sorted."""
    return isinstance(img_id, str), img_id


def unique_frames(results: list[dict]) -> list[dict]:
    """Order results by image id and drop repetitions.

    Args:
        results (list[dict]): Results of all ranks.

    Returns:
        list[dict]: One result per image.

    Raises:
        ValueError: There is none, or an image came twice with different predictions (a sampler that
            pads repeats them alike).
    """
    if not results:
        raise ValueError('VIDMetric got no predictions at all, expected those of at least one frame')
    frames = dict()
    for result in results:
        first = frames.setdefault(result['img_id'], result)
        if first is result:
            continue
        for field in ('bboxes', 'scores', 'labels'):
            ours, others = (r.get(f'unlinked_{field}', r[field]) for r in (first, result))
            if ours.shape != others.shape or not np.allclose(ours, others):
                raise ValueError(
                    f'img_id {result["img_id"]} was predicted twice with '
                    f'different {field}, expected one prediction per frame'
                )
        # Of a video and a frame that pads a rank, the video was linked.
        if result.get('num_linked', 0) > first.get('num_linked', 0):
            frames[result['img_id']] = result
    return [frames[img_id] for img_id in sorted(frames, key=sort_key)]
