# Copyright (c) mmrdn contributors. All rights reserved.
import numpy as np
import pytest
from PIL import Image

from mmrdn.video import AnimationWriter


def frames_of(path):
    with Image.open(path) as file:
        assert file.info['loop'] == 0
        for i in range(file.n_frames):
            file.seek(i)
            yield file.info['duration'], np.asarray(file.convert('RGB'))[..., ::-1]


@pytest.mark.parametrize('suffix', ['.gif', '.png', '.apng'])
def test_frames_and_times_come_back(tmp_path, suffix):
    """A square of few colors moves over a ground: no format changes any of them."""
    images = np.full((4, 20, 30, 3), (40, 90, 200), np.uint8)
    for i, image in enumerate(images):
        image[5:10, 6 * i : 6 * i + 5] = (255, 0, 60 * i)
    path = tmp_path / f'loop{suffix}'
    with AnimationWriter(path, fps=5) as writer:
        for image in images:
            writer.write(image)
        assert not path.exists()
    found = list(frames_of(path))
    assert [duration for duration, _ in found] == [200] * 4
    np.testing.assert_array_equal([image for _, image in found], images)


def test_what_it_refuses(tmp_path):
    with pytest.raises(ValueError, match=r'loop.mp4 must end in .gif, .png, .apng'):
        AnimationWriter(tmp_path / 'loop.mp4')
    with pytest.raises(ValueError, match='loop.gif: all frames must have one size, got 30x20 and 20x30'):
        with AnimationWriter(tmp_path / 'loop.gif') as writer:
            writer.write(np.zeros((20, 30, 3), np.uint8))
            writer.write(np.zeros((30, 20, 3), np.uint8))
    assert list(tmp_path.iterdir()) == []
