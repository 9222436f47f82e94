# Copyright (c) mmrdn contributors. All rights reserved.
"""Pictures of detections side by side."""

from collections.abc import Sequence

import numpy as np

from mmrdn.visualization.colors import GROUND, WHITE
from mmrdn.visualization.text import font_size, line_height, put_text, shorten


def titled_panels(panels: Sequence[np.ndarray], titles: Sequence[str]) -> np.ndarray:
    """Pictures of one size in a row, each below its title.

    Args:
        panels (Sequence[np.ndarray]): (H, W, 3) uint8 BGR each.
        titles (Sequence[str]): One a picture; cut where it is too long.

    Returns:
        np.ndarray: (H + :func:`title_height`, n * (W + margin) + margin, 3)
        uint8 BGR, the margin being :func:`panel_margin`.
    """
    height, width = panels[0].shape[:2]
    size, margin = font_size(height, width), panel_margin(height, width)
    top = title_height(height, width)
    row = np.full((top + height, len(panels) * (width + margin) + margin, 3), GROUND, np.uint8)
    for i, (panel, title) in enumerate(zip(panels, titles)):
        left = margin + i * (width + margin)
        row[top:, left : left + width] = panel
        put_text(row, shorten(title, size, width), (left, margin // 2), size, WHITE)
    return row


def panel_margin(height: int, width: int) -> int:
    """Pixels between pictures of a size."""
    return max(4, font_size(height, width) // 2)


def title_height(height: int, width: int) -> int:
    """Pixels that the title above a picture of a size takes."""
    return line_height(font_size(height, width)) + panel_margin(height, width)
