# Copyright (c) mmrdn contributors. All rights reserved.
"""Videos of moving objects, results of a model for them, and what the metric should say."""

import copy
import json
import random

import numpy as np
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData

from helpers import naive_linking
from helpers.naive_vid_map import RANGES
from mmrdn.evaluation import motion_iou, vid_map
from mmrdn.registry import METRICS

CLASSES = ('cat', 'dog', 'owl')


def make_coco(seed=0, lengths=(7, 3, 5)):
    """Videos of up to three moving objects; the categories are shuffled."""
    rng = random.Random(seed)
    coco = dict(
        categories=[dict(id=7, name='owl'), dict(id=2, name='cat'), dict(id=5, name='dog')],
        videos=[],
        images=[],
        annotations=[],
    )
    for video_id, length in enumerate(lengths, 1):
        coco['videos'].append(dict(id=video_id, name=f'v{video_id}'))
        objects = [
            (rng.choice([2, 5, 7]), rng.randint(0, 80), rng.randint(0, 80), rng.choice([0, 1, 4, 15]))
            for _ in range(rng.randint(1, 3))
        ]
        for frame_id in range(length):
            img_id = len(coco['images']) + 11
            coco['images'].append(
                dict(
                    id=img_id,
                    video_id=video_id,
                    frame_id=frame_id,
                    file_name=f'v{video_id}/{frame_id}.jpg',
                    width=400,
                    height=300,
                )
            )
            for k, (category, x, y, speed) in enumerate(objects, 1):
                if rng.random() < 0.8:
                    coco['annotations'].append(
                        dict(
                            id=len(coco['annotations']) + 1,
                            image_id=img_id,
                            video_id=video_id,
                            category_id=category,
                            instance_id=k,
                            bbox=[x + speed * frame_id, y, 40, 30],
                            area=1200,
                            iscrowd=0,
                        )
                    )
    return coco


def make_samples(coco, seed=0):
    """Data samples as mmtrack's datasets and a model hand them over."""
    from mmtrack.structures import TrackDataSample

    rng = np.random.default_rng(seed)
    names = {c['id']: c['name'] for c in coco['categories']}
    samples = []
    for image in coco['images']:
        instances, boxes, labels = [], [], []
        for ann in coco['annotations']:
            if ann['image_id'] != image['id'] or 'bbox' not in ann:
                continue
            x, y, w, h = ann['bbox']
            instances.append(
                dict(
                    bbox=[x, y, x + w, y + h],
                    bbox_label=CLASSES.index(names[ann['category_id']]),
                    instance_id=ann['instance_id'],
                    ignore_flag=ann['iscrowd'],
                )
            )
            boxes.append(rng.normal(instances[-1]['bbox'], 4))
            labels.append(instances[-1]['bbox_label'])
        for _ in range(rng.integers(0, 3)):
            boxes.append([5, 5, 60, 60] + rng.normal(0, 3, 4))
            labels.append(int(rng.integers(0, 3)))
        sample = TrackDataSample(
            metainfo=dict(
                img_id=image['id'],
                video_id=image['video_id'],
                frame_id=image['frame_id'],
                video_length=9,
                ori_shape=(300, 400),
                img_path=f'/data/{image["file_name"]}',
                instances=instances,
            )
        )
        sample.pred_det_instances = InstanceData(
            bboxes=torch.tensor(np.array(boxes).reshape(-1, 4)).float(),
            scores=torch.tensor(rng.random(len(boxes))).float(),
            labels=torch.tensor(labels, dtype=torch.long),
        )
        samples.append(sample)
    return samples


def expected_metrics(coco, samples):
    """The chain without VIDMetric, straight from the COCO file."""
    names = {c['id']: c['name'] for c in coco['categories']}
    tracks = {}
    for ann in coco['annotations']:
        track = tracks.setdefault((ann['video_id'], ann['instance_id']), [])
        track.append(ann)
    frame_ids = {image['id']: image['frame_id'] for image in coco['images']}
    for track in tracks.values():
        boxes = np.array([ann['bbox'] for ann in track], float)
        boxes[:, 2:] += boxes[:, :2]
        (ious,) = motion_iou([dict(frame_ids=[frame_ids[ann['image_id']] for ann in track], bboxes=boxes)])
        for ann, iou, box in zip(track, ious, boxes):
            ann.update(motion=iou, xyxy=box)
    dets, anns = [], []
    for sample in samples:
        pred = sample.pred_det_instances
        dets.append({k: pred[k].numpy() for k in pred.keys()})
        mine = [ann for ann in coco['annotations'] if ann['image_id'] == sample.img_id]
        anns.append(
            dict(
                bboxes=[ann['xyxy'] for ann in mine],
                labels=[CLASSES.index(names[ann['category_id']]) for ann in mine],
                motion_ious=[ann['motion'] for ann in mine],
            )
        )
    result = vid_map(dets, anns, len(CLASSES), RANGES)
    metrics = {f'vid/{k}': v for k, v in result.items() if k.startswith('mAP50')}
    metrics.update({f'vid/AP50/{name}': ap for name, ap in zip(CLASSES, result['ap'])})
    return metrics


def run(samples, classes=CLASSES, key='classes', chunks=None, **kwargs):
    """Evaluate as mmengine's loops do."""
    evaluator = Evaluator(METRICS.build(dict(type='VIDMetric', **kwargs)))
    evaluator.dataset_meta = {key: classes}
    start = 0
    for size in chunks or [len(samples)]:
        evaluator.process(samples[start : start + size], data_batch=None)
        start += size
    return evaluator.evaluate(len(samples))


def write(path, content):
    path.write_text(json.dumps(content))
    return str(path)


def add_relations(samples, seed=0, num_supports=4):
    """Records of ``NextFrameRelations``, and their meaning: (n, n')."""
    rng = np.random.default_rng(seed)
    expected = []
    for sample in samples:
        found = sample.pred_det_instances
        num = len(found)
        # Some of the boxes came from supports, two from the same.
        found.support_inds = torch.tensor(rng.integers(-1, num_supports, num), dtype=torch.long)
        kept = torch.tensor(sorted(rng.permutation(num)[: max(1, num - 1)]), dtype=torch.long)
        last = sample.frame_id == sample.video_length - 1
        sample.link_relations = InstanceData(
            metainfo=dict(next_frame_id=None if last else sample.frame_id + 1),
            detection_inds=kept[:num],
            weights=torch.tensor(rng.uniform(0, 1, (len(kept[:num]), 0 if last else num_supports))),
        )
    for a, b in zip(samples, samples[1:]):
        if a.video_id != b.video_id:
            expected.append(None)
            continue
        matrix = np.zeros((len(a.pred_det_instances), len(b.pred_det_instances)))
        noted = a.link_relations
        for row, i in enumerate(noted.detection_inds.tolist()):
            for j, place in enumerate(b.pred_det_instances.support_inds):
                if 0 <= place < noted.weights.shape[1]:
                    matrix[i, j] = noted.weights[row, place]
        expected.append(matrix)
    return expected


def by_video(samples, relations):
    """Frames and relations of each video."""
    videos = {}
    for t, sample in enumerate(samples):
        frames, pairs = videos.setdefault(sample.video_id, ([], []))
        found = sample.pred_det_instances
        frames.append({k: found[k].numpy() for k in ('bboxes', 'scores', 'labels')})
        if t < len(relations) and relations[t] is not None:
            pairs.append(relations[t])
    return videos.values()


def linked_naively(samples, relations, with_relations):
    """Copies of the samples with scores of the naive search."""
    scores = []
    for frames, pairs in by_video(samples, relations):
        new, _ = naive_linking.tube_linking(frames, pairs if with_relations else None)
        scores += new
    result = copy.deepcopy(samples)
    for sample, new in zip(result, scores):
        sample.pred_det_instances.scores = torch.tensor(new)
    return result


def set_lengths(samples):
    for sample in samples:
        length = sum(s.video_id == sample.video_id for s in samples)
        sample.set_metainfo(dict(video_length=length))
