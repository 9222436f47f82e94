# Copyright (c) mmrdn contributors. All rights reserved.
"""Images that claim a size are not believed before it is a possible one."""

import resource
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from mmrdn.datasets.converters.image_directory import ImageDirectory
from mmrdn.datasets.transforms.loading import LoadFrame
from mmrdn.fileio.image_files import MAX_PIXELS, decode_image, read_image, read_image_size
from mmrdn.video import open_source


def claiming(kind, width, height):
    """The bytes of a small image with another size in its header."""
    _, data = cv2.imencode(kind, np.zeros((8, 8, 3), np.uint8))
    data = bytearray(data.tobytes())
    if kind == '.png':
        at = data.index(b'IHDR')
        data[at + 4 : at + 12] = width.to_bytes(4, 'big') + height.to_bytes(4, 'big')
        data[at + 17 : at + 21] = zlib.crc32(data[at : at + 17]).to_bytes(4, 'big')
    elif kind == '.jpg':
        at = data.index(b'\xff\xc0') + 5
        data[at : at + 4] = height.to_bytes(2, 'big') + width.to_bytes(2, 'big')
    elif kind == '.bmp':
        data[18:26] = width.to_bytes(4, 'little') + height.to_bytes(4, 'little')
    return bytes(data)


@pytest.mark.parametrize(
    'kind, width, height, claim',
    [
        ('.png', 30000, 30000, 'far more'),
        ('.png', 2**31 - 1, 2**31 - 1, 'far more'),
        ('.png', 2**14, 2**13 + 1, '16384x8193'),
        ('.jpg', 65000, 65000, 'far more'),
        ('.bmp', 12000, 12000, '12000x12000'),
    ],
)
def test_a_claim_of_too_many_pixels(kind, width, height, claim):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError) as error:
        decode_image(claiming(kind, width, height), 'a.png')
    assert str(error.value) == f'image a.png claims {claim} pixels, expected {MAX_PIXELS} at most'
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**16  # KiB


@pytest.mark.parametrize('chunk', ['gAMA', 'pHYs', 'cHRM', 'sRGB', 'tRNS'])
def test_a_png_without_its_end_and_with_a_short_chunk(chunk):
    """Pillow has another exception for each, none of which names a file."""
    data = claiming('.png', 8, 8)
    at, end = data.index(b'IDAT') - 4, data.index(b'IEND') - 4
    body = chunk.encode() + b'\0' * (chunk == 'pHYs' or chunk == 'cHRM')
    short = (len(body) - 4).to_bytes(4, 'big') + body + zlib.crc32(body).to_bytes(4, 'big')
    with pytest.raises(ValueError, match='image a.png '):
        decode_image(data[:at] + short + data[at:end], 'a.png')


def test_a_large_image_without_its_end_gives_no_warning(recwarn):
    data = claiming('.png', 10000, 10000)
    with pytest.raises(ValueError, match='image a.png is truncated'):
        decode_image(data[: data.index(b'IEND') - 4], 'a.png')
    assert not recwarn.list


def test_the_limit_itself(monkeypatch):
    monkeypatch.setattr('mmrdn.fileio.image_files.MAX_PIXELS', 64)
    _, data = cv2.imencode('.png', np.full((8, 8, 3), 7, np.uint8))
    assert decode_image(data.tobytes(), 'a.png').tolist() == np.full((8, 8, 3), 7).tolist()
    monkeypatch.setattr('mmrdn.fileio.image_files.MAX_PIXELS', 63)
    with pytest.raises(ValueError, match='claims 8x8 pixels'):
        decode_image(data.tobytes(), 'a.png')


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('suffix', ['.jpg', '.png', '.webp', '.tif'])
def test_the_size_is_that_of_the_image_that_is_read(orientation, suffix, tmp_path):
    """EXIF 5 to 8 turn by 90 degrees, other than in WebP; converters write the same size into their files."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f'a{suffix}'
    Image.fromarray(np.zeros((32, 64, 3), np.uint8)).save(path, exif=exif)
    size = (32, 64) if orientation > 4 and suffix != '.webp' else (64, 32)
    assert read_image(path).shape == (size[1], size[0], 3)
    assert read_image_size(path) == size
    (frame,) = ImageDirectory(tmp_path).of_video('a', [0], None, 'notes.txt')
    assert (frame.width, frame.height) == size


@pytest.mark.parametrize('exif', [b'Exif\0\0words', b'Exif\0\0II*\0\x08\0\0\0\x09\0\x12\x01'])
def test_damaged_exif_turns_nothing(exif, tmp_path, recwarn):
    """Other data than a TIFF header; a list of entries that ends early."""
    path = tmp_path / 'a.jpg'
    Image.fromarray(np.zeros((32, 64, 3), np.uint8)).save(path, exif=exif)
    assert read_image_size(path) == (64, 32) and read_image(path).shape == (32, 64, 3)
    assert not recwarn.list


def test_a_size_that_cannot_be_read(tmp_path, recwarn):
    with pytest.raises(FileNotFoundError, match='image .*/a.png does not exist'):
        read_image_size(tmp_path / 'a.png')
    for content in (b'', b'words', claiming('.png', 30000, 30000)):  # the last is too much for Pillow
        (tmp_path / 'a.png').write_bytes(content)
        with pytest.raises(ValueError, match=r'image .*/a\.png cannot be read: .'):
            read_image_size(tmp_path / 'a.png')
    (tmp_path / 'a.png').write_bytes(claiming('.png', 10000, 10000))
    assert read_image_size(tmp_path / 'a.png') == (10000, 10000)
    assert not recwarn.list


def test_in_the_middle_of_a_video_and_of_a_data_set(tmp_path):
    """The video continues without the frame; a data set names the file."""
    for i in range(3):
        cv2.imwrite(str(tmp_path / f'{i}.png'), np.full((8, 8, 3), i, np.uint8))
    (tmp_path / '1.png').write_bytes(claiming('.png', 30000, 30000))
    with pytest.warns(UserWarning, match=r'1\.png claims far more pixels'):
        frames = [frame.image[0, 0, 0] for frame in open_source(str(tmp_path))]
    assert frames == [0, 2]
    with pytest.raises(ValueError, match=r'1\.png claims far more pixels'):
        read_image(tmp_path / '1.png')
    with pytest.raises(ValueError, match=r'1\.png claims far more pixels'):
        LoadFrame().transform(dict(img_path=str(tmp_path / '1.png')))
