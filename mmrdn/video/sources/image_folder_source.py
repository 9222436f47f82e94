# Copyright (c) mmrdn contributors. All rights reserved.
import glob
import os
import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from mmrdn.fileio.image_files import looks_truncated
from mmrdn.structures.frame import Frame
from mmrdn.video.sources.base_source import DEFAULT_FPS, BaseSource

SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff', '.ppm', '.pgm', '.jp2')


class ImageFolderSource(BaseSource):
    """Images as the frames of a video, in the natural order of their names.

    Grey images and those with alpha become BGR (alpha is dropped), 16 bits become 8, and EXIF
    orientation is respected, as where data sets are read.

    Args:
        spec (str or Path): A folder, a pattern (``frames/*.png``) or a single image. Of a folder or
            pattern the files with the suffix of an image are read, without subfolders and hidden
            files.
        strict (bool): Stop at an image that cannot be read, instead of leaving it out with a
            warning.
        max_frames (int, optional): Stop after so many.
        fps (float): Frames a second.

    Raises:
        FileNotFoundError: There is no image.
    """

    def __init__(
        self, spec: str | Path, strict: bool = False, max_frames: int | None = None, fps: float = DEFAULT_FPS
    ) -> None:
        super().__init__(str(spec), max_frames)
        self.strict = strict
        self.fps = fps
        self.paths = _find_images(self.name)
        if not self.paths:
            raise FileNotFoundError(
                f'{spec}: there is no image of this name'
                if not os.path.isdir(spec)
                else f'folder {spec} holds no image (expected {", ".join(SUFFIXES)})'
            )
        self._expect(len(self.paths))

    def _frames(self) -> Iterator[Frame]:
        index = 0
        for place, path in enumerate(self.paths):
            try:
                image = read_image(path)
            except (OSError, ValueError) as error:
                if self.strict:
                    raise
                self._leave_out(path, f'{error}; left out')
                continue
            yield Frame(image, index, place / self.fps, os.path.basename(path))
            index += 1


def _find_images(spec: str) -> list[str]:
    """Paths of the images, in natural order."""
    if os.path.isdir(spec):
        spec = os.path.join(glob.escape(spec), '*')
    elif os.path.isfile(spec):
        return [spec]
    paths = [path for path in glob.glob(spec) if path.lower().endswith(SUFFIXES) and os.path.isfile(path)]
    return sorted(paths, key=_natural)


def _natural(path: str) -> list:
    """Key that puts frame_2 before frame_10."""
    words = re.split(r'(\d+)', path)
    return [(int(word), word) if i % 2 else (0, word) for i, word in enumerate(words)]


def read_image(path: str) -> np.ndarray:
    """Read an image file.

    Args:
        path (str): The file.

    Returns:
        np.ndarray: (H, W, 3) uint8 BGR.

    Raises:
        ValueError: It is empty, truncated or no image; names it.
    """
    with open(path, 'rb') as file:
        content = file.read()
    if not content:
        raise ValueError(f'image {path} is empty')
    if looks_truncated(content):
        raise ValueError(f'image {path} is truncated')
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:  # too large
        raise ValueError(f'image {path} cannot be decoded: {error.err}') from None
    if image is None:
        raise ValueError(f'image {path} cannot be decoded')
    return image
