# Copyright (c) mmrdn contributors. All rights reserved.
import os
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path

import cv2

from mmrdn.datasets.converters.frame_files import FrameFiles, Size, parse_template
from mmrdn.fileio.image_files import IMAGE_SUFFIXES
from mmrdn.fileio.video_files import VIDEO_SUFFIXES, VideoFrames
from mmrdn.fileio.whole_file import check_new


class VideoDirectory(FrameFiles):
    """Frames in video files, named ``<video file>/<index>`` as :class:`LoadFrameFromVideo` reads them.

    Args:
        directory (str or Path): Directory of the video files, each named after its video.
        extract (str or Path, optional): Directory to extract the frames to, as PNG unless the template
            has another suffix.
        template (str, optional): Names of extracted frames, see :class:`FrameFiles`.

    Raises:
        FileNotFoundError: The directory does not exist.
    """

    knows_names = True

    def __init__(
        self, directory: str | os.PathLike, extract: str | os.PathLike | None = None, template: str | None = None
    ) -> None:
        super().__init__(template)
        self.unused = {}
        self.directory = Path(directory)
        if not self.directory.is_dir():
            raise FileNotFoundError(f'--videos {directory}: no such directory')
        self.extract = None if extract is None else Path(extract)
        if template and Path(template).suffix not in IMAGE_SUFFIXES:
            raise ValueError(f'--name-template {template}: expected the suffix of an image, such as .png')
        self._open: dict[str, tuple[Path, VideoFrames]] = {}
        self._images: dict[str, dict[int, str]] = {}  # names of images to write, by video and index

    def count(self, video: str) -> int:
        """Return the number of frames of a video file."""
        return len(self._find_video(video)[1])

    def find(self, name: str, video: str, where: str) -> str:
        """Refuse images: it is unknown which frames of a video they are."""
        raise ValueError(f'{where} names images, which --videos cannot find in video files: pass --frames DIR')

    def write(self, overwrite: bool = False) -> None:
        """Extract the frames: all of them or none.

        Raises:
            FileExistsError: An image exists and ``overwrite`` is False.
            ValueError: A frame cannot be decoded or written.
        """
        if self.extract is None:
            return
        for names in self._images.values() if not overwrite else ():
            for name in names.values():
                check_new(self.extract / name)
        partial = self.extract / f'.{secrets.token_hex(8)}.partial'
        try:
            for video, names in self._images.items():
                frames = self._find_video(video)[1]
                for index, name in names.items():
                    path = partial / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(cv2.imencode(path.suffix, frames[index])[1].tobytes())
                frames.close()
            for names in self._images.values():
                for name in names.values():
                    (self.extract / name).parent.mkdir(parents=True, exist_ok=True)
                    os.replace(partial / name, self.extract / name)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def _find_video(self, video: str) -> tuple[Path, VideoFrames]:
        if video not in self._open:
            candidates = [self.directory / f'{video}{suffix}' for suffix in VIDEO_SUFFIXES]
            candidates += [path.with_suffix(path.suffix.upper()) for path in candidates]
            path = next((path for path in candidates if path.is_file()), None)
            if path is None:
                raise FileNotFoundError(f'--videos {self.directory}: no video file {video}.mp4, or of another format')
            self._open[video] = path, VideoFrames(path)
        return self._open[video]

    def _names_of(self, video: str, numbers: Sequence[int], where: str, template: str, base: int) -> list[str]:
        path, frames = self._find_video(video)
        indices = [number - base for number in numbers]
        if indices and indices[-1] >= len(frames):
            raise ValueError(f'{where}: frame {numbers[-1]} is beyond {path}, which has {len(frames)} frames')
        if self.extract is None:
            return [f'{path.name}/{index:06d}' for index in indices]
        form = self._template or parse_template('<video>/<frame:06d>.png')
        names = [form.format(video=video, frame=i, number=number) for i, number in enumerate(numbers)]
        self._images[video] = dict(zip(indices, names))
        return names

    def _size_of(self, video: str, name: str, where: str) -> Size:
        height, width = self._find_video(video)[1][0].shape[:2]
        return width, height
