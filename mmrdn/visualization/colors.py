# Copyright (c) mmrdn contributors. All rights reserved.
"""Colours of classes, BGR from 0 to 255."""

Color = tuple[int, int, int]

# 30 colours, any two of them 35 or more apart in CIE Lab; the first ones are the farthest apart.
_PALETTE = (
    'ff695a 00ff00 6900ff 00ffff 3c5a96 1e6900 ffd200 ff1ec3 b4ff87 9669ff '
    '874b0f a52d5a c3c3ff ff0000 ffe187 ff87d2 008769 f0a596 873c96 00b41e '
    'e18700 a5e1b4 96a500 1e96b4 00ffb4 0087ff 87874b e11eff ff0078 b4ff1e'
).split()

BLACK: Color = (0, 0, 0)
WHITE: Color = (255, 255, 255)
GROUND: Color = (32, 32, 32)  # between and around pictures


def class_color(label: int) -> Color:
    """The colour of a class, the same in every frame and data set.

    Args:
        label (int): The class. Past 30 the colours come again.

    Returns:
        tuple[int, int, int]: Blue, green and red, from 0 to 255.
    """
    red, green, blue = bytes.fromhex(_PALETTE[label % len(_PALETTE)])
    return blue, green, red


def text_color(ground: Color) -> Color:
    """Black or white, whichever has more contrast with its ground.

    The contrast is that of WCAG 2: (L1 + 0.05) / (L2 + 0.05), L being relative luminance; black and
    white have the same at L = 0.179.
    """
    linear = [(c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4) for c in ground]
    luminance = 0.0722 * linear[0] + 0.7152 * linear[1] + 0.2126 * linear[2]
    return BLACK if luminance > 0.179 else WHITE
