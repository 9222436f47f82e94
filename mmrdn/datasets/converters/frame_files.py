# Copyright (c) mmrdn contributors. All rights reserved.
"""Names and sizes of the frames of a video."""

import re
from collections.abc import Sequence

from mmrdn.datasets.converters.annotated_video import VideoFrame

Size = tuple[int, int]


class FrameFiles:
    """The frames as annotation files, or the user, name them.

    Args:
        template (str, optional): Names of frames that the annotation file does not name: ``<video>``,
            and ``<frame>``, the index from 0, or ``<number>``, the number in the annotation file, both
            with a format as in ``<frame:06d>``; by default that of the format.
        size (tuple[int, int], optional): Width and height of frames if the file does not give them.

    Attributes:
        knows_names (bool): Whether the names of frames are known without the annotation file.
        unused (dict[str, str]): Options without effect so far, and what takes their place.

    Raises:
        ValueError: The template is invalid.
    """

    knows_names = False

    def __init__(self, template: str | None = None, size: Size | None = None) -> None:
        self.size = size
        self._template = None if template is None else parse_template(template)
        self.unused: dict[str, str] = {}
        if size is not None:
            self.unused['--size'] = 'the files give the sizes of frames'
        if template is not None:
            self.unused['--name-template'] = 'the files give the names of frames'

    def of_video(
        self,
        video: str,
        numbers: Sequence[int],
        size: Size | None,
        where: str,
        names: Sequence[str] | None = None,
        template: str = '<video>/<frame:06d>.jpg',
        base: int = 0,
    ) -> list[VideoFrame]:
        """Return the frames of a video.

        Args:
            video (str): Name of the video.
            numbers (Sequence[int]): Number of each frame in the annotation file.
            size (tuple[int, int], optional): Width and height that the annotation file gives.
            where (str): File, for messages.
            names (Sequence[str], optional): Names that the annotation file gives.
            template (str): Names that are usual for the format.
            base (int): Number of the first frame of a whole video.

        Raises:
            FileNotFoundError: A frame is missing.
            ValueError: The size is unknown, or the number of frames is another one.
        """
        if names is None:
            found = self._names_of(video, numbers, where, template, base)
        else:
            found = [self.find(name, video, where) for name in names]
        if size is None and found:
            size = self._size_of(video, found[0], where)
        return [VideoFrame(name, *size) for name in found] if size else []

    def count(self, video: str) -> int | None:
        """Return the number of frames of a video, None if unknown."""
        return None

    def find(self, name: str, video: str, where: str) -> str:
        """Return the path of an image that the annotation file names."""
        return name

    def all_images(self) -> dict[str, str]:
        """Return the paths of all images that are there, by themselves without suffix."""
        return {}

    def write(self, overwrite: bool = False) -> None:
        """Write the frames that are to be written."""

    def _names_of(self, video: str, numbers: Sequence[int], where: str, template: str, base: int) -> list[str]:
        self.unused.pop('--name-template', None)
        form = self._template or parse_template(template)
        return [form.format(video=video, frame=index, number=number) for index, number in enumerate(numbers)]

    def _size_of(self, video: str, name: str, where: str) -> Size:
        if self.size is None:
            raise ValueError(
                f'{where} lacks the width and height of frames: pass --frames DIR, --videos DIR or --size WxH'
            )
        self.unused.pop('--size', None)
        return self.size


def parse_template(template: str) -> str:
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
