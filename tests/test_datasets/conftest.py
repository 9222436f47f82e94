# Copyright (c) mmrdn contributors. All rights reserved.
import json

import pytest

from helpers.video_data import video_data
from mmrdn.datasets import VideoDetDataset


@pytest.fixture
def build(tmp_path):

    def _build(data=None, classes=('cat', 'dog'), **kwargs):
        path = tmp_path / 'data.json'
        text = data if isinstance(data, str) else json.dumps(data or video_data())
        path.write_text(text)
        return VideoDetDataset(
            ann_file=str(path), metainfo=dict(classes=classes), data_prefix=dict(img_path='images'), **kwargs
        )

    return _build
