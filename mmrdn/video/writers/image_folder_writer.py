# Copyright (c) mmrdn contributors. All rights reserved.
import os
import shutil
from pathlib import Path

import cv2
import numpy as np

from mmrdn.structures.frame import Frame
from mmrdn.video.writers.base_writer import BaseWriter


class ImageFolderWriter(BaseWriter):
    """A directory of images, one a frame: ``000012.jpg``.

    Frames that are files are named after these too: ``000012_name.jpg``.

    Args:
        path (str or Path): The directory. Unless ``overwrite`` it must be empty or not there.
        overwrite (bool): Whether images in it may be replaced; other files stay.
    """

    def __init__(self, path: str | Path, overwrite: bool = False) -> None:
        super().__init__(path, overwrite)
        self.partial.mkdir()

    @staticmethod
    def refuse_existing(path: str | Path, overwrite: bool = False) -> None:
        """Raise FileExistsError if something must not be written."""
        if Path(path).name in ('', '..'):
            raise ValueError(f'{path}: expected a directory with a name, such as {Path(path) / "images"}')
        if os.path.exists(path) and not os.path.isdir(path):
            raise FileExistsError(f'{path} is a file, expected a directory')
        if os.path.isdir(path) and os.listdir(path) and not overwrite:
            raise FileExistsError(f'directory {path} is not empty; choose another one or pass --overwrite')

    def write(self, image: np.ndarray, frame: Frame) -> None:
        """Write an image.

        Args:
            image (np.ndarray): (H, W, 3) uint8 BGR.
            frame (Frame): The frame that it is named after; its own image is not read.
        """
        stem = f'_{Path(frame.name).stem}' if frame.name else ''
        path = self.partial / f'{frame.index:06d}{stem}.jpg'
        path.write_bytes(cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1])
        self.num_frames += 1

    def _publish(self) -> None:
        self.refuse_existing(self.path, self.overwrite)
        self.path.mkdir(exist_ok=True)
        for image in self.partial.iterdir():
            image.replace(self.path / image.name)
        self.partial.rmdir()

    def _discard(self) -> None:
        shutil.rmtree(self.partial, ignore_errors=True)
