# Copyright (c) mmrdn contributors. All rights reserved.
"""Directories in the layouts of public data sets, taken for another format."""

import pytest

from helpers.annotations import convert

VOC = '<annotation><object><name>dog</name><trackid>3</trackid></object></annotation>'
ILSVRC = '<annotation><object><trackid>0</trackid><name>n01674464</name></object></annotation>'
LAYOUTS = dict(
    mot={'a/gt/gt.txt': '1,1,2,3,4,5,1,1,1\n'},
    yolo={'data.yaml': 'names: [car]\n', 'labels/train/a_1.txt': '0 0.5 0.5 0.1 0.1\n'},
    voc={'Annotations/a_1.xml': VOC, 'ImageSets/Main/train.txt': 'a_1\n'},
    ilsvrc={'ILSVRC2015_VID_train_0000/ILSVRC2015_train_00000000/000000.xml': ILSVRC},
    labelme={'a/a_1.json': '{"shapes": [], "imagePath": "a_1.jpg"}', 'notes/flags.json': '{}'},
    visdrone={'annotations/uav1.txt': '1,0,593,43,174,190,0,0,0,0\n', 'readme.txt': 'see the paper\n'},
    kitti={'label_02/0000.txt': '0 0 Van 0 0 -1.7 296.7 161.7 455.2 292.3 2.0 1.8 4.4 -4.5 1.8 13.4 -2.1\n'},
    coco={'annotations/instances.json': '{"images": [], "annotations": [], "categories": []}'},
)


@pytest.mark.parametrize('name', LAYOUTS)
def test_a_directory_of_another_format_is_recognized(name, tmp_path):
    for path, text in LAYOUTS[name].items():
        (tmp_path / 'data' / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / 'data' / path).write_text(text)
    for taken_for in {'cvat-video', 'coco', 'label-studio', 'ytvis', 'mot', 'visdrone', 'labelme'} - {name}:
        with pytest.raises((ValueError, FileNotFoundError)) as caught:
            convert(taken_for, tmp_path / 'data', tmp_path / 'out.json', size=(64, 48))
        assert str(caught.value).endswith(f'; it looks like the format {name}'), taken_for
        assert str(tmp_path / 'data') in str(caught.value)


@pytest.mark.parametrize('name', ['coco', 'label-studio', 'ytvis'])
def test_a_directory_in_place_of_a_file(name, tmp_path):
    with pytest.raises(ValueError, match=f'^{tmp_path} is a directory, expected a file$'):
        convert(name, tmp_path, tmp_path / 'out.json')
