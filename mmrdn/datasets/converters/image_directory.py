# Copyright (c) mmrdn contributors. All rights reserved.
import os
import re
from collections.abc import Sequence
from pathlib import Path

from mmrdn.datasets.converters.frame_files import FrameFiles, Size
from mmrdn.fileio.image_files import IMAGE_SUFFIXES, read_image_size
from mmrdn.utils.text import natural_key

_BOTH_CASES = [case for suffix in IMAGE_SUFFIXES for case in (suffix, suffix.upper())]


class ImageDirectory(FrameFiles):
    """Frames that are images, which must be there.

    Args:
        directory (str or Path): Directory of all frames: of each video in a directory named after it,
            or directly if there is one video only.

    Raises:
        FileNotFoundError: The directory does not exist.
    """

    knows_names = True

    def __init__(self, directory: str | os.PathLike) -> None:
        super().__init__()
        self.directory = Path(directory)
        if not self.directory.is_dir():
            raise FileNotFoundError(f'--frames {directory}: no such directory')

    def count(self, video: str) -> int:
        """Return the number of images of a video.

        Raises:
            FileNotFoundError: There are none.
        """
        return len(self._images_of(video))

    def find(self, name: str, video: str, where: str) -> str:
        """Return the path of an image that the annotation file names, perhaps without its suffix.

        Raises:
            FileNotFoundError: There is none.
        """
        base = name.rsplit('/', 1)[-1]
        stems = dict.fromkeys((name, f'{video}/{base}', base))
        for candidate in (stem + suffix for stem in stems for suffix in ('', *_BOTH_CASES)):
            if (self.directory / candidate).is_file():
                return candidate
        raise FileNotFoundError(f'image {self.directory / name} does not exist, though {where} names it')

    def all_images(self) -> dict[str, str]:
        """Return the paths of all images, by themselves without suffix."""
        files = (file.relative_to(self.directory) for file in self.directory.rglob('*'))
        found = sorted(file for file in files if file.suffix.lower() in IMAGE_SUFFIXES)
        return {file.with_suffix('').as_posix(): file.as_posix() for file in found}

    def _names_of(self, video: str, numbers: Sequence[int], where: str, template: str, base: int) -> list[str]:
        """Return the images of a video; where there are more than frames, those whose names have the numbers."""
        images = self._images_of(video)
        if len(images) == len(numbers):
            return images
        by_number = {int(digits[-1]): name for name in images if (digits := re.findall(r'\d+', Path(name).stem))}
        if any(number not in by_number for number in numbers):
            raise ValueError(
                f'{where} has {len(numbers)} frames, but {(self.directory / images[0]).parent} has {len(images)} images'
            )
        return [by_number[number] for number in numbers]

    def _images_of(self, video: str) -> list[str]:
        """Return the images of a video in natural order."""
        for prefix in (f'{video}/', f'{video}/img1/', ''):
            directory = self.directory / prefix
            if directory.is_dir():
                names = [name for name in os.listdir(directory) if name.lower().endswith(IMAGE_SUFFIXES)]
                if names:
                    return [prefix + name for name in sorted(names, key=natural_key)]
        raise FileNotFoundError(f'--frames {self.directory}: no images of the video {video}, expected {video}/*.jpg')

    def _size_of(self, video: str, name: str, where: str) -> Size:
        return read_image_size(self.directory / name)
