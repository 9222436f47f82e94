# Copyright (c) mmrdn contributors. All rights reserved.
"""Names and sizes of the frames of a video, from the annotation file, from images or as the user says."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from mmrdn.datasets.converters.annotated_video import VideoFrame

SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff')
Size = tuple[int, int]


class FrameFiles:
    """What is known of frames besides the annotation files.

    Args:
        frames (str or Path, optional): Directory of all frames: of each video in a directory named
            after it, or directly if there is one video only.
        template (str, optional): Names of frames that nothing else names: ``<video>``, and
            ``<frame>``, the index from 0, or ``<number>``, the number in the annotation file, both
            with a format as in ``<frame:06d>``; by default what is usual for the format.
        size (tuple[int, int], optional): Width and height of frames that nothing else says.

    Raises:
        FileNotFoundError: The directory does not exist.
        ValueError: The template is none.
    """

    def __init__(
        self, frames: str | os.PathLike | None = None, template: str | None = None, size: Size | None = None
    ) -> None:
        self.directory = None if frames is None else Path(frames)
        if self.directory is not None and not self.directory.is_dir():
            raise FileNotFoundError(f'--frames {frames}: no such directory')
        self.size = size
        self._template = None if template is None else _format_of(template)

    def of_video(
        self,
        video: str,
        numbers: Sequence[int],
        size: Size | None,
        where: str,
        names: Sequence[str] | None = None,
        template: str = '<video>/<frame:06d>.jpg',
    ) -> list[VideoFrame]:
        """Return the frames of a video.

        Args:
            video (str): Name of the video.
            numbers (Sequence[int]): Number of each frame in the annotation file.
            size (tuple[int, int], optional): Width and height that the annotation file gives.
            where (str): File, for messages.
            names (Sequence[str], optional): Names that the annotation file gives.
            template (str): Names that are usual for the format.

        Raises:
            FileNotFoundError: ``--frames`` has no such image.
            ValueError: The size is unknown, or the number of images is another one.
        """
        if names is not None:
            found = [self.find(name, video, where) for name in names]
        elif self.directory is not None:
            found = self._images_of(video, numbers, where)
        else:
            form = self._template or _format_of(template)
            found = [form.format(video=video, frame=index, number=number) for index, number in enumerate(numbers)]
        if size is None and found:
            size = self.size_of(found[0], where)
        return [VideoFrame(name, *size) for name in found] if size else []

    def find(self, name: str, video: str, where: str) -> str:
        """Return the path below ``--frames`` of an image that the annotation file names.

        Raises:
            FileNotFoundError: There is none.
        """
        if self.directory is None:
            return name
        base = name.rsplit('/', 1)[-1]
        stems = dict.fromkeys((name, f'{video}/{base}', base))
        for candidate in (stem + suffix for stem in stems for suffix in ('', *_both_cases(SUFFIXES))):
            if (self.directory / candidate).is_file():
                return candidate
        raise FileNotFoundError(f'image {self.directory / name} does not exist, though {where} names it')

    def size_of(self, name: str, where: str) -> Size:
        """Return width and height of an image below ``--frames``, or what ``--size`` says.

        Raises:
            ValueError: Neither is there, or the image cannot be read.
        """
        if self.directory is not None:
            path = self.directory / name
            try:
                with Image.open(path) as image:
                    return image.size
            except FileNotFoundError:
                raise FileNotFoundError(f'image {path} does not exist, though {where} names it') from None
            except (OSError, ValueError, SyntaxError):
                raise ValueError(f'image {path} cannot be read') from None
        if self.size is None:
            raise ValueError(
                f'{where} does not say the width and height of frames: pass --frames DIR, --videos DIR or --size WxH'
            )
        return self.size

    def all_images(self) -> dict[str, str]:
        """Return the paths below ``--frames`` of all images, by themselves without suffix."""
        if self.directory is None:
            return {}
        files = (file.relative_to(self.directory) for file in self.directory.rglob('*'))
        found = sorted(file for file in files if file.suffix.lower() in SUFFIXES)
        return {file.with_suffix('').as_posix(): file.as_posix() for file in found}

    def list_images(self, video: str) -> list[str] | None:
        """Return the paths below ``--frames`` of the images of a video in natural order, None without ``--frames``.

        Raises:
            FileNotFoundError: There are none.
        """
        if self.directory is None:
            return None
        for prefix in (f'{video}/', f'{video}/img1/', ''):
            directory = self.directory / prefix
            if directory.is_dir():
                names = [name for name in os.listdir(directory) if name.lower().endswith(SUFFIXES)]
                if names:
                    return [prefix + name for name in sorted(names, key=natural_key)]
        raise FileNotFoundError(f'--frames {self.directory}: no images of the video {video}, expected {video}/*.jpg')

    def _images_of(self, video: str, numbers: Sequence[int], where: str) -> list[str]:
        """Return the images of a video; where there are more than frames, those whose names have the numbers."""
        images = self.list_images(video)
        if len(images) == len(numbers):
            return images
        by_number = {int(digits[-1]): name for name in images if (digits := re.findall(r'\d+', Path(name).stem))}
        if any(number not in by_number for number in numbers):
            raise ValueError(
                f'{where} has {len(numbers)} frames, but {(self.directory / images[0]).parent} has {len(images)} images'
            )
        return [by_number[number] for number in numbers]


def natural_key(name: str) -> list:
    """Return a key by which frame_2 comes before frame_10."""
    return [(int(word), word) if i % 2 else (0, word) for i, word in enumerate(re.split(r'(\d+)', name))]


def _both_cases(suffixes: Sequence[str]) -> list[str]:
    return [case for suffix in suffixes for case in (suffix, suffix.upper())]


def _format_of(template: str) -> str:
    """Return the template as one of ``str.format``."""
    text = template.replace('{', '{{').replace('}', '}}')
    text = re.sub(r'<(video|frame|number)(:0?\d{0,2}d)?>', r'{\1\2}', text)
    try:
        first, second = (text.format(video='v', frame=i, number=i) for i in (0, 1))
    except (ValueError, TypeError):
        raise ValueError(f'--name-template {template}: expected one such as "<video>/<frame:06d>.jpg"') from None
    if first == second or '<' in text:
        raise ValueError(
            f'--name-template {template}: expected <video>, and <frame:06d> or <number:06d>, nothing else in <>'
        )
    return text
