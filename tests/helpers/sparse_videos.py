# Copyright (c) mmrdn contributors. All rights reserved.
"""Ground truth of every n-th frame, and samples that a detector gives for it."""

import copy

import torch
from mmengine.structures import InstanceData

from helpers.vid_metric import make_samples


def every(step, coco, flag=True):
    """The file with the boxes of every ``step``-th frame only."""
    coco = copy.deepcopy(coco)
    empty = {image['id'] for image in coco['images'] if image['frame_id'] % step}
    coco['annotations'] = [entry for entry in coco['annotations'] if entry['image_id'] not in empty]
    if flag:
        for image in coco['images']:
            if image['id'] in empty:
                image['is_annotated'] = False
    return coco


def tell(samples, coco):
    """Give samples the ground truth of another file, as its data set would."""
    truth = {sample.img_id: sample for sample in make_samples(coco)}
    flags = {image['id']: image.get('is_annotated') for image in coco['images']}
    samples = copy.deepcopy(samples)
    for sample in samples:
        sample.set_metainfo(dict(instances=truth[sample.img_id].instances, is_annotated=flags[sample.img_id]))
    return samples


def one_video(scores=(0.8, 0.9, 0.8, 0.9)):
    """A cat at rest in four frames, found in each, and samples of a detector that finds it."""
    box = [10, 10, 50, 50]
    images = [
        dict(id=t, video_id=1, frame_id=t, file_name=f'{t}.png', width=100, height=100) for t in range(len(scores))
    ]
    entries = [
        dict(id=t, image_id=t, video_id=1, category_id=2, instance_id=1, bbox=box, iscrowd=0)
        for t in range(len(scores))
    ]
    coco = dict(categories=[dict(id=2, name='cat')], videos=[dict(id=1)], images=images, annotations=entries)
    samples = make_samples(coco)
    for sample, score in zip(samples, scores):
        sample.set_metainfo(dict(video_length=len(scores)))
        sample.pred_det_instances = InstanceData(
            bboxes=torch.tensor([[10.0, 10, 60, 60]]), scores=torch.tensor([score]), labels=torch.tensor([0])
        )
    return coco, samples
