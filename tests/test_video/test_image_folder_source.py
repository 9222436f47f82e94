# Copyright (c) mmrdn contributors. All rights reserved.
import cv2
import numpy as np
import pytest
from PIL import Image

from helpers.videos import flat, levels, noise
from mmrdn.video import ImageFolderSource, open_source


def test_directory_in_natural_order(tmp_path):
    for i in (0, 2, 10, 1):
        cv2.imwrite(str(tmp_path / f'frame_{i}.png'), flat(10 * i))
    for other in ('notes.txt', '.hidden.png'):
        (tmp_path / other).write_text('x')
    (tmp_path / 'sub.png').mkdir()
    source = open_source(tmp_path)
    assert isinstance(source, ImageFolderSource) and source.num_frames == 4
    frames = list(source)
    assert [f.image[0, 0, 0] for f in frames] == [0, 10, 20, 100]
    assert [f.name for f in frames][2:] == ['frame_2.png', 'frame_10.png']
    assert [f.time for f in frames] == pytest.approx([0, 0.04, 0.08, 0.12])
    assert [f.time for f in open_source(tmp_path, fps=2)] == [0, 0.5, 1, 1.5]


def test_pattern_and_single_image(tmp_path):
    for name in ('a1.png', 'a2.png', 'b1.png'):
        cv2.imwrite(str(tmp_path / name), flat(int(name[1]), (2, 3)))
    assert levels(open_source(tmp_path / 'a*.png')) == [1, 2]
    assert levels(open_source(tmp_path / 'a[2].png')) == [2]
    assert levels(open_source(tmp_path / 'b1.png')) == [1]


@pytest.mark.parametrize(
    'image, expected',
    [
        (np.full((4, 5), 77, np.uint8), 77),
        (np.full((4, 5, 4), (77, 77, 77, 5), np.uint8), 77),
        (np.full((4, 5), 77 * 256 + 100, np.uint16), 77),
        (np.full((4, 5, 3), 77 * 256, np.uint16), 77),
    ],
)
@pytest.mark.parametrize('suffix', ['png', 'tiff'])
def test_kinds_of_pixels(image, expected, suffix, tmp_path):
    """Grey, with alpha, and 16 bits."""
    cv2.imwrite(str(tmp_path / f'a.{suffix}'), image)
    (frame,) = open_source(tmp_path)
    assert frame.image.shape == (4, 5, 3) and frame.image.dtype == np.uint8
    assert (frame.image == expected).all()


def test_orientation_of_photographs(tmp_path):
    """EXIF 6: what is stored is to be turned clockwise by 90 degrees."""
    image = flat(20, (32, 64))
    image[:16, :32] = 220  # the upper left quarter
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(image).save(tmp_path / 'a.jpg', exif=exif)
    (frame,) = open_source(tmp_path)
    assert frame.image.shape == (64, 32, 3)
    assert frame.image[8, 24].mean() > 180  # the upper right quarter
    assert frame.image[8, 8].mean() < 60 and frame.image[56, 24].mean() < 60


@pytest.mark.parametrize(
    'content, message', [(b'', 'is empty'), (b'words', 'cannot be decoded'), (None, 'is truncated')]
)
def test_one_bad_image(content, message, tmp_path):
    for i in range(3):
        cv2.imwrite(str(tmp_path / f'{i}.png'), noise(1, seed=i)[0])
    path = tmp_path / '1.png'
    whole = path.read_bytes()
    path.write_bytes(content if isinstance(content, bytes) else whole[: len(whole) // 2])
    source = open_source(tmp_path)
    with pytest.warns(UserWarning) as told:
        frames = list(source)
    assert [str(w.message) for w in told] == [f'image {path} {message}; left out']
    assert source.skipped == [str(path)] and not source.truncated
    assert [f.index for f in frames] == [0, 1]
    assert [f.name for f in frames] == ['0.png', '2.png']
    assert [f.time for f in frames] == pytest.approx([0, 0.08])
    assert next(iter(source)).name == '0.png'  # read again, in part
    assert source.skipped == [str(path)]
    with pytest.raises(ValueError, match=f'image {path} {message}'):
        list(open_source(tmp_path, strict=True))


def test_only_bad_images(tmp_path):
    (tmp_path / 'a.png').write_bytes(b'')
    with pytest.warns(UserWarning), pytest.raises(ValueError, match=f'{tmp_path} has no frames that can be read'):
        list(open_source(tmp_path))


@pytest.mark.parametrize('name', ['nowhere.jpg', 'no*.png', 'nowhere'])
def test_no_image(name, tmp_path):
    with pytest.raises(FileNotFoundError, match='nowhere|no\\*'):
        open_source(tmp_path / name)


def test_empty_directory(tmp_path):
    with pytest.raises(FileNotFoundError, match=f'{tmp_path} holds no image'):
        open_source(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize('size', [(1, 1), (1, 77), (77, 1), (4320, 7680)])
def test_extreme_sizes(size, tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), flat(99, size))
    (frame,) = open_source(tmp_path)
    assert frame.image.shape == (*size, 3) and (frame.image == 99).all()
