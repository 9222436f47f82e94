# Copyright (c) mmrdn contributors. All rights reserved.
"""One digit of a video of moving digits: its ink, its path and its size."""

from dataclasses import dataclass, field

import cv2
import numpy as np

GLYPH_ZOOM = 8  # pixels of a glyph for one cell of an 8 x 8 digit


def make_glyph(cells: np.ndarray) -> np.ndarray:
    """Turn an 8 x 8 digit into a large, smooth opacity mask.

    Args:
        cells (np.ndarray): (8, 8) ink from 0 to 16.

    Returns:
        np.ndarray: (h, w) float32 opacity from 0 to 1, with a blank margin.
    """
    ink = np.pad(cells.astype(np.float32) / 16, 1)
    large = cv2.resize(ink, None, fx=GLYPH_ZOOM, fy=GLYPH_ZOOM, interpolation=cv2.INTER_CUBIC)
    large = cv2.GaussianBlur(large, (0, 0), GLYPH_ZOOM * 0.3)
    return np.clip((large - 0.3) / 0.3, 0, 1)


def ink_box(opacity: np.ndarray) -> tuple[int, int, int, int]:
    """Return the tight box of the pixels that are at least half covered with ink.

    Args:
        opacity (np.ndarray): (H, W) opacity from 0 to 1.

    Returns:
        tuple[int, int, int, int]: Inclusive x1, y1, x2, y2; all -1 if no pixel is covered.
    """
    ink = opacity >= 0.5
    columns, rows = np.flatnonzero(ink.any(0)), np.flatnonzero(ink.any(1))
    if not len(columns):
        return -1, -1, -1, -1
    return (int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1]))


@dataclass
class DigitTrack:
    """One digit of a video: ink, path, color and degradations."""

    label: int
    glyph: np.ndarray  # (h, w) opacity
    size: float  # height of the ink, pixels
    start: np.ndarray  # (2,) x, y at t = 0, pixels
    velocity: np.ndarray  # (2,) pixels a frame
    margin: float  # distance from the border where it turns, pixels, < 0 outside
    tilt: float  # degrees
    size_wave: tuple[float, float, float]  # log amplitude, frequency, phase
    color: np.ndarray = field(default_factory=lambda: np.zeros(3))  # BGR
    episodes: list[dict] = field(default_factory=list)

    def __post_init__(self) -> None:
        x1, y1, x2, y2 = ink_box(self.glyph)
        self.ink_height = y2 - y1 + 1
        self.ink_center = np.array([(x1 + x2) / 2, (y1 + y2) / 2])

    def position(self, t: float, frame: tuple[int, int]) -> np.ndarray:
        """Return the center (2,) at time t in a frame of (width, height) pixels."""
        low = np.full(2, self.margin)
        span = np.maximum(np.array(frame) - 1 - 2 * low, 1e-6)
        phase = np.mod(self.start + self.velocity * t - low, 2 * span)
        return low + np.minimum(phase, 2 * span - phase)

    def scale(self, t: float) -> float:
        """Return the pixels of the frame for one pixel of the glyph at time t."""
        amplitude, frequency, phase = self.size_wave
        change = amplitude * np.sin(frequency * t + phase)
        return float(self.size / self.ink_height * np.exp(change))

    def draw(self, center: np.ndarray, scale: float, frame: tuple[int, int]) -> np.ndarray:
        """Return the opacity (H, W) of the digit with its ink centered at a point."""
        angle = np.deg2rad(self.tilt)
        turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        # Only the part of the frame that the glyph can reach is drawn.
        reach = scale * np.hypot(*self.glyph.shape) * 0.6
        left, top = np.clip(np.floor(center - reach), 0, frame).astype(int)
        right, bottom = np.clip(np.ceil(center + reach), 0, frame).astype(int)
        opacity = np.zeros(frame[::-1], np.float32)  # (H, W)
        if left < right and top < bottom:
            shift = center - turn @ self.ink_center - (left, top)
            opacity[top:bottom, left:right] = cv2.warpAffine(
                self.glyph, np.column_stack([turn, shift]), (int(right - left), int(bottom - top))
            )
        return opacity

    def episode(self, t: int) -> dict:
        """Return the degradations at frame t, strengths by name; maybe none."""
        for episode in self.episodes:
            if episode['first'] <= t <= episode['last']:
                return episode
        return {}
