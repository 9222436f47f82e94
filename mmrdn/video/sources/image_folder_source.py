# Copyright (c) mmrdn contributors. All rights reserved.
import glob
import os
from collections.abc import Iterator
from pathlib import Path

from mmrdn.fileio.image_files import IMAGE_SUFFIXES, read_image
from mmrdn.structures.frame import Frame
from mmrdn.utils.text import natural_key
from mmrdn.video.sources.base_source import DEFAULT_FPS, BaseSource


class ImageFolderSource(BaseSource):
    """Images as the frames of a video, in the natural order of their names.

    They are read as those of data sets, see :func:`mmrdn.fileio.image_files.decode_image`.

    Args:
        spec (str or Path): A directory, a pattern (``frames/*.png``) or a single image. Of a
            directory or pattern the files with the suffix of an image are read, without
            subdirectories and hidden files.
        strict (bool): Whether to stop at an image that cannot be read, instead of leaving it out
            with a warning.
        max_frames (int, optional): Number of frames to stop after.
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
                f'directory {spec} holds no image (expected {", ".join(IMAGE_SUFFIXES)})'
                if os.path.isdir(spec)
                else f'{spec}: there is no image of this name'
            )
        self._expect(len(self.paths))

    def _frames(self) -> Iterator[Frame]:
        index = 0
        for number, path in enumerate(self.paths):
            try:
                image = read_image(path)
            except (OSError, ValueError) as error:
                if self.strict:
                    raise
                self._leave_out(path, f'{error}; left out')
                continue
            yield Frame(image, index, number / self.fps, os.path.basename(path))
            index += 1


def _find_images(spec: str) -> list[str]:
    """Return the paths of the images in natural order: frame_2 before frame_10."""
    if os.path.isdir(spec):
        spec = os.path.join(glob.escape(spec), '*')
    elif os.path.isfile(spec):
        return [spec]
    paths = [path for path in glob.glob(spec) if path.lower().endswith(IMAGE_SUFFIXES) and os.path.isfile(path)]
    return sorted(paths, key=natural_key)
