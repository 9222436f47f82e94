# Copyright (c) mmrdn contributors. All rights reserved.
import cv2
import numpy as np
import pytest

from mmrdn.datasets import LoadFrame


@pytest.fixture(params=['.jpg', '.png'])
def image(request, tmp_path):
    """A path and the bytes of an image of 40 x 60 pixels."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (40, 60, 3)).astype(np.uint8)
    content = cv2.imencode(request.param, pixels)[1].tobytes()
    return tmp_path / f'frame{request.param}', content


def _load(path, **kwargs):
    return LoadFrame(**kwargs)(dict(img_path=str(path)))


def test_whole_image(image):
    path, content = image
    path.write_bytes(content)
    results = _load(path)
    wanted = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert (results['img'] == wanted).all()
    assert results['img_shape'] == results['ori_shape'] == (40, 60)
    assert _load(path, to_float32=True)['img'].dtype == np.float32


def test_bytes_after_the_end(image):
    path, content = image
    path.write_bytes(content + bytes(500))
    assert _load(path)['img'].shape == (40, 60, 3)


@pytest.mark.parametrize('share', [0.1, 0.5, 0.98])
def test_truncated(image, share):
    path, content = image
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match='frame.* is truncated') as caught:
        _load(path)
    assert '\n' not in str(caught.value)
    assert _load(path, ignore_empty=True) is None


@pytest.mark.parametrize('content, text', [(b'', 'is empty'), (b'<html>', 'cannot be decoded')])
def test_no_image(tmp_path, content, text):
    path = tmp_path / 'frame.jpg'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f'image .*frame.jpg {text}'):
        _load(path)


def test_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match='image .*frame.jpg does not exist'):
        _load(tmp_path / 'frame.jpg')
