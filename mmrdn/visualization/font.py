# Copyright (c) mmrdn contributors. All rights reserved.
"""Lines of text in pixels, in any script that a font of the machine has."""

import functools
import itertools
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mmrdn.visualization.system_fonts import find_system_fonts

DEFAULT_FONT = str(Path(__file__).with_name('fonts') / 'DejaVuSans.ttf')
_UNASSIGNED = '\U0010ffff'  # no character: fonts draw their sign for what they lack
_PROBE_SIZE = 61  # pixels, of letters that are compared with that sign; fonts of bitmaps lack this size


@dataclass(frozen=True)
class Font:
    """Letters of one size from a font file, and from other fonts for characters that it lacks.

    The others are DejaVu Sans, which mmrdn contains, and those of the machine, Noto first.

    Attributes:
        size (int): Size in pixels.
        file (str, optional): Font file that is looked into first.
    """

    size: int
    file: str | None = None

    @classmethod
    def for_image(cls, height: int, width: int, file: str | None = None) -> 'Font':
        """Return letters of a size, 9 pixels or more, that suits an image; relatively larger in a small one.

        Args:
            height (int): Height of the image in pixels.
            width (int): Width of the image in pixels.
            file (str, optional): Font file that is looked into first.
        """
        return cls(max(9, round(0.8 * min(height, width) ** 0.5)), file)

    @property
    def pad(self) -> int:
        """int: Room around text, in pixels."""
        return max(1, self.size // 6)

    @property
    def line_height(self) -> int:
        """int: Height in pixels of a line of text with some room around it."""
        return sum(_face(self.file or DEFAULT_FONT, self.size).getmetrics()) + 2 * self.pad

    def width(self, text: str) -> int:
        """Return the width in pixels of a line of text with some room around it."""
        return int(np.ceil(_length(text, self))) + 2 * self.pad

    def shorten(self, text: str, width: int) -> str:
        """Return the beginning of a text that is not too wide, with an ellipsis.

        Args:
            text (str): One line.
            width (int): Width that it may take, in pixels.

        Returns:
            str: The text as it is if it fits, '' if not even a letter does.
        """
        ends = [text] + [f'{text[:n]}…' for n in range(len(text) - 1, 0, -1)]
        return next((t for t in ends if self.width(t) <= width), '')

    def ink(self, text: str) -> np.ndarray:
        """Return the share of each pixel that a line of text covers, (h, w) float32 in [0, 1]."""
        return _ink(text, self)


@functools.cache
def font_file(char: str, file: str | None = None) -> str | None:
    """Return the font file that a character is drawn from, None if no font has it.

    Args:
        char (str): The character.
        file (str, optional): Font file that is looked into first.
    """
    if char.isspace():
        return file or DEFAULT_FONT
    files = itertools.chain([file] if file else [], [DEFAULT_FONT], _system_fonts())
    return next((each for each in files if _has(each, char)), None)


@functools.cache
def check_glyphs(texts: tuple[str, ...], file: str | None = None) -> None:
    """Warn once, in a line, of characters that no font has; boxes are drawn for them.

    Args:
        texts (tuple[str, ...]): Texts to be drawn, such as class names.
        file (str, optional): Font file that is looked into first.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no font.
    """
    if file is not None and not Path(file).is_file():
        raise FileNotFoundError(f'font {file} does not exist')
    if file is not None and not _is_font(file):
        raise ValueError(f'{file} is no font, expected a TrueType or OpenType file')
    missing = sorted({char for text in texts for char in text if font_file(char, file) is None})
    if missing:
        shown = ''.join(missing[:10]) + ' ...' * (len(missing) > 10)
        warnings.warn(
            f'no font of this machine has {shown}: boxes are drawn instead. Install one that has, such as Noto Sans '
            'CJK, or give its file (font=, --font)'
        )


@functools.cache
def _system_fonts() -> list[str]:
    """Return the font files of the machine, Noto's regular ones first."""

    def rank(file: str) -> tuple:
        name = Path(file).name.lower()
        return 'noto' not in name, 'regular' not in name, 'cjk' not in name, file

    return sorted(find_system_fonts(), key=rank)


@functools.cache
def _has(file: str, char: str) -> bool:
    """Return whether a font file has a character: it draws something else for it than its sign for none."""
    return _is_font(file) and _drawn(file, char) != _sign(file)


@functools.cache
def _is_font(file: str) -> bool:
    """Return whether a file is a font of outlines."""
    try:
        with open(file, 'rb') as opened:  # in place of a path that it cannot read, Pillow takes a font of that name
            ImageFont.truetype(opened, _PROBE_SIZE)
        return True
    except OSError:
        return False


@functools.cache
def _sign(file: str) -> tuple[float, bytes]:
    """Return what a font draws for characters that it lacks."""
    return _drawn(file, _UNASSIGNED)


def _drawn(file: str, char: str) -> tuple[float, bytes]:
    """Return the width and the pixels of a character alone: not composed of others, as layout by Raqm would."""
    face = ImageFont.truetype(file, _PROBE_SIZE, layout_engine=ImageFont.Layout.BASIC)
    mask = Image.new('L', (3 * _PROBE_SIZE, 3 * _PROBE_SIZE))
    ImageDraw.Draw(mask).text((_PROBE_SIZE, 2 * _PROBE_SIZE), char, font=face, fill=255, anchor='ls')
    return face.getlength(char), mask.tobytes()


@functools.cache
def _face(file: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(file, size)


def _runs(text: str, font: Font) -> list[tuple[str, ImageFont.FreeTypeFont]]:
    """Return the parts of a text that are of one font file each."""
    first = font.file or DEFAULT_FONT
    parts = itertools.groupby(text, lambda char: font_file(char, font.file) or first)
    return [(''.join(chars), _face(file, font.size)) for file, chars in parts]


@functools.lru_cache(maxsize=4096)
def _length(text: str, font: Font) -> float:
    """Return the width of a line of text in pixels, without room around it."""
    return sum(face.getlength(part) for part, face in _runs(text, font))


@functools.lru_cache(maxsize=1024)
def _ink(text: str, font: Font) -> np.ndarray:
    """See :meth:`Font.ink`."""
    mask = Image.new('L', (font.width(text), font.line_height))
    x, baseline = float(font.pad), font.pad + _face(font.file or DEFAULT_FONT, font.size).getmetrics()[0]
    for part, face in _runs(text, font):
        ImageDraw.Draw(mask).text((x, baseline), part, font=face, fill=255, anchor='ls')
        x += face.getlength(part)
    return np.asarray(mask, np.float32) / 255
