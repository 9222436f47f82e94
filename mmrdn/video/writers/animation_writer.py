# Copyright (c) mmrdn contributors. All rights reserved.
from pathlib import Path

import numpy as np
from PIL import Image

from mmrdn.video.sources.base_source import DEFAULT_FPS
from mmrdn.video.writers.base_writer import BaseWriter

_FORMATS = {'.gif': 'GIF', '.png': 'PNG', '.apng': 'PNG'}
_NUM_COLORS = 256


class AnimationWriter(BaseWriter):
    """A short loop that pages show without a player: GIF, 256 colors for all frames, or APNG, every color.

    All frames are kept until the end. The first one gives the size, and the others must have it.

    Args:
        path (str or Path): Ends in ``.gif``, ``.png`` or ``.apng``.
        overwrite (bool): Whether it may be there already.
        fps (float, optional): Frames a second; those of GIF are rounded to hundredths of a second each.

    Raises:
        ValueError: The path ends otherwise.
    """

    suffixes = tuple(_FORMATS)

    def __init__(self, path: str | Path, overwrite: bool = False, fps: float | None = None) -> None:
        if Path(path).suffix.lower() not in _FORMATS:
            raise ValueError(f'{path} must end in {", ".join(_FORMATS)}')
        super().__init__(path, overwrite)
        self.partial.touch(exist_ok=False)  # whether it can be written shows now
        self._milliseconds = 1000 / (fps or DEFAULT_FPS)
        self._images: list[Image.Image] = []

    def write(self, image: np.ndarray, time: float | None = None) -> None:
        """Write a frame.

        Args:
            image (np.ndarray): (H, W, 3) uint8 BGR.
            time (float, optional): Without effect: every frame is shown as long as the others.

        Raises:
            ValueError: The image has another size than the first.
        """
        frame = Image.fromarray(np.ascontiguousarray(image[..., ::-1]))
        if self._images and frame.size != self._images[0].size:
            sizes = ' and '.join(f'{width}x{height}' for width, height in (self._images[0].size, frame.size))
            raise ValueError(f'{self.path}: all frames must have one size, got {sizes}')
        self._images.append(frame)
        self.num_frames += 1

    def _finish(self) -> None:
        images, kind = self._images, _FORMATS[self.path.suffix.lower()]
        if kind == 'GIF':  # one palette, without dithering: what does not move takes no room
            whole = Image.fromarray(np.vstack([np.asarray(image) for image in images]))
            palette = whole.quantize(_NUM_COLORS)
            images = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
        first, *others = images
        first.save(
            self.partial, kind, save_all=True, append_images=others, duration=self._milliseconds, loop=0, optimize=True
        )
