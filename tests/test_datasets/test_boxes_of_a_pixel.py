# Copyright (c) mmrdn contributors. All rights reserved.
"""Ground truth one pixel wide or high: from files of ILSVRC through the data set to a loss."""

import pytest
import torch
from mmdet.models.task_modules import DeltaXYWHBBoxCoder

from mmrdn.datasets import ImageNetVIDDataset
from mmrdn.datasets.converters.ilsvrc_vid import convert_vid
from mmrdn.fileio.coco_vid import CocoVidFile

XML = (
    '<annotation><size><width>100</width><height>60</height></size><object><trackid>0</trackid><name>n02084071</name>'
    '<bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox></object></annotation>'
)


@pytest.fixture
def convert(tmp_path):
    """Convert a video of one frame with a dog; gives the file."""

    def call(box, split='val'):
        for part, name, content in (('Annotations', '000000.xml', XML.format(*box)), ('Data', '000000.JPEG', '')):
            path = tmp_path / part / 'VID' / split / 'v' / name
            path.parent.mkdir(parents=True)
            path.write_text(content)
        out = tmp_path / f'{split}.json'
        convert_vid(tmp_path, split, out, progress=False)
        return str(out)

    return call


@pytest.mark.parametrize('box', [(7, 20, 7, 50), (0, 20, 0, 50), (10, 9, 40, 9), (99, 59, 99, 59), (-4, 5, 0, 9)])
def test_they_are_ground_truth(convert, box):
    """ILSVRC's boxes are inclusive pixels: one with xmin == xmax is a pixel wide."""
    file, inside = convert(box), [max(side, 0) for side in box]
    (frame,) = CocoVidFile(file).ground_truth(ImageNetVIDDataset.METAINFO['classes']).values()
    assert frame.bboxes.tolist() == [inside] and frame.labels.tolist() == [8]
    dataset = ImageNetVIDDataset(ann_file=file, data_prefix={}, test_mode=True)
    assert [i['bbox'] for i in dataset.get_data_info(0)['instances']] == [inside]


@pytest.mark.parametrize('box', [(9, 2, 9, 42), (1, 9, 31, 9), (9, 9, 9, 9)])
def test_in_training_they_have_the_area_of_their_pixels(convert, box):
    """No loss is finite for a box without area, and a box is a proposal of itself."""
    x1, y1, x2, y2 = box
    dataset = ImageNetVIDDataset(ann_file=convert(box, 'train'), data_prefix={})
    (found,) = dataset.get_data_info(0)['instances']
    assert found == dict(bbox=[x1, y1, max(x2, x1 + 1), max(y2, y1 + 1)], bbox_label=8, instance_id=1, ignore_flag=0)
    boxes = torch.tensor([found['bbox']]).float()
    assert DeltaXYWHBBoxCoder().encode(boxes, boxes).tolist() == [[0, 0, 0, 0]]
