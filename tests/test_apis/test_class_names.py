# Copyright (c) mmrdn contributors. All rights reserved.
import pytest
from mmengine.config import Config

from mmrdn.apis.class_names import class_names


@pytest.mark.parametrize(
    'meta, dataset, expected',
    [
        (dict(classes=['a', 'b']), dict(), ('a', 'b')),
        (dict(CLASSES=('a', 'b')), dict(metainfo=dict(classes=('a', 'b'))), ('a', 'b')),
        (None, dict(metainfo=dict(CLASSES=('a', 'b'))), ('a', 'b')),
        (None, dict(), ('class 0', 'class 1')),
        (None, dict(metainfo=dict(classes='ab')), 'config names 1 classes'),
        (None, dict(type='MovingDigitsDataset'), 'config names 10 classes'),
        (
            None,
            dict(type='ConcatDataset', datasets=[dict(type='VideoDetDataset', metainfo=dict(classes=('c', 'd')))]),
            ('c', 'd'),
        ),
    ],
)
def test_who_knows_the_classes(meta, dataset, expected):
    dataset = Config(dict(a=dict(dict(type='VideoDetDataset'), **dataset))).a
    checkpoint = dict(meta=dict(dataset_meta=meta)) if meta else {}
    if isinstance(expected, str):
        with pytest.raises(ValueError, match=expected):
            class_names(2, dataset, checkpoint)
    else:
        assert class_names(2, dataset, checkpoint) == expected
