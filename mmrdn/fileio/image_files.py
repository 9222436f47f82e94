# Copyright (c) mmrdn contributors. All rights reserved.
"""Reading image files: the one way for videos, data sets and tools."""

import contextlib
import io
import os
import warnings
from collections.abc import Callable, Iterator
from typing import IO

import cv2
import numpy as np
from PIL import Image

# Of files that are images by their names, in a directory or pattern.
IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff', '.ppm', '.pgm', '.jp2')
# A few hundred bytes may claim any size, and a decoder reserves the memory before it reads on.
MAX_PIXELS = 2**27
_EXIF_ORIENTATION, _BY_90_DEGREES = 0x0112, (5, 6, 7, 8)
_TURNED_FORMATS = ('JPEG', 'MPO', 'PNG')  # OpenCV does not turn WebP; Pillow gives the turned size of TIFF itself
# First bytes of a file and the mark at its end, at the latest a few bytes before the last one.
_MARKS = ((b'\xff\xd8', b'\xff\xd9'), (b'\x89PNG', b'IEND'))


def read_image(path: str | os.PathLike) -> np.ndarray:
    """Read an image file.

    Args:
        path (str or Path): The file.

    Returns:
        np.ndarray: (H, W, 3) uint8 BGR, see :func:`decode_image`.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is empty, truncated or no image; names it.
    """
    try:
        with open(path, 'rb') as file:
            content = file.read()
    except FileNotFoundError:
        raise FileNotFoundError(f'image {path} does not exist') from None
    return decode_image(content, path)


def decode_image(
    content: bytes, path: str | os.PathLike, decode: Callable[[bytes], np.ndarray | None] | None = None
) -> np.ndarray:
    """Decode the content of an image file.

    Gray images and those with alpha become BGR (alpha is dropped), 16 bits become 8, and EXIF
    orientation is respected.

    Args:
        content (bytes): The whole file.
        path (str or Path): Its path, for messages.
        decode (callable, optional): Another decoder, for other colors or formats.

    Returns:
        np.ndarray: (H, W, 3) uint8 BGR, or what ``decode`` gives.

    Raises:
        ValueError: It is empty, truncated, no image, or larger than ``MAX_PIXELS``; names the file.
    """
    if not content:
        raise ValueError(f'image {path} is empty')
    _check_size(content, path)
    if _looks_truncated(content):
        raise ValueError(f'image {path} is truncated')
    try:
        image = (decode or _decode_bgr)(content)
    except Exception as error:  # each decoder has its own
        reason = ' '.join(str(getattr(error, 'err', error)).split())
        raise ValueError(f'image {path} cannot be decoded: {reason}') from None
    if image is None:
        raise ValueError(f'image {path} cannot be decoded')
    return image


def read_image_size(path: str | os.PathLike) -> tuple[int, int]:
    """Read the size that :func:`read_image` gives an image, from the header of its file.

    Args:
        path (str or Path): The file.

    Returns:
        tuple[int, int]: Width and height in pixels.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It has no such header; names it.
    """
    try:
        with _opened(path) as image:
            width, height = image.size
            is_turned = image.format in _TURNED_FORMATS and _is_turned(image.info.get('exif'))
    except FileNotFoundError:
        raise FileNotFoundError(f'image {path} does not exist') from None
    except Exception as error:  # of Pillow's many decoders
        raise ValueError(f'image {path} cannot be read: {error}') from None
    return (height, width) if is_turned else (width, height)


def _is_turned(content: bytes | None) -> bool:
    """Return whether EXIF data turn an image by 90 degrees; damaged ones do not. Pillow's ``getexif`` decodes a PNG."""
    exif = Image.Exif()
    try:
        exif.load(content)
        return exif.get(_EXIF_ORIENTATION) in _BY_90_DEGREES
    except Exception:  # Pillow has several
        return False


@contextlib.contextmanager
def _opened(file: str | os.PathLike | IO[bytes]) -> Iterator[Image.Image]:
    """Open an image with Pillow, without its warnings of many pixels and of damaged EXIF data."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        with Image.open(file) as image:
            yield image


def _check_size(content: bytes, path: str | os.PathLike) -> None:
    """Refuse an image whose header claims too many pixels."""
    try:
        with _opened(io.BytesIO(content)) as image:
            width, height = image.size
            claim = f'{width}x{height}' if width * height > MAX_PIXELS else None
    except Image.DecompressionBombError:  # at a limit of Pillow's
        claim = 'far more'
    except Exception:  # not one of Pillow's formats: OpenCV has a limit too
        return
    if claim:
        raise ValueError(f'image {path} claims {claim} pixels, expected {MAX_PIXELS} at most')


def _decode_bgr(content: bytes) -> np.ndarray | None:
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)


def _looks_truncated(content: bytes) -> bool:
    """Return whether the end of a JPEG or PNG file is missing.

    Only a file that lacks its end mark is decoded (by Pillow, which insists on all of the pixels):
    some writers leave the mark out.
    """
    for first, last in _MARKS:
        if content.startswith(first) and last not in content[-64:]:
            try:
                with _opened(io.BytesIO(content)) as image:
                    image.load()
            except Exception:  # Pillow has many for a damaged chunk
                return True
    return False
