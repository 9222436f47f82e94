# Copyright (c) mmrdn contributors. All rights reserved.
"""Pictures of detections side by side, and a video of them."""
import colorsys
from pathlib import Path
from typing import Iterable, Optional, Sequence, Tuple, Union

import av
import cv2
import numpy as np


def class_color(label: int, num_classes: int) -> Tuple[int, int, int]:
    """A bright BGR colour for a class, the same in every frame."""
    red, green, blue = colorsys.hsv_to_rgb(label / num_classes, 0.75, 1.0)
    return int(255 * blue), int(255 * green), int(255 * red)


def draw_boxes(image: np.ndarray,
               bboxes: np.ndarray,
               labels: np.ndarray,
               classes: Sequence[str],
               scores: Optional[np.ndarray] = None,
               scale: int = 1) -> np.ndarray:
    """Draw boxes with their class names and scores.

    Args:
        image (np.ndarray): (H, W, 3) uint8 BGR.
        bboxes (np.ndarray): (n, 4) xyxy, in pixels of ``image``.
        labels (np.ndarray): (n,).
        classes (Sequence[str]): Class names.
        scores (np.ndarray, optional): (n,).
        scale (int): How many times larger the picture is drawn.

    Returns:
        np.ndarray: (scale * H, scale * W, 3) uint8 BGR, a new picture.
    """
    canvas = cv2.resize(
        image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    for i, (box, label) in enumerate(zip(bboxes, labels)):
        x1, y1, x2, y2 = (int(round(float(v) * scale)) for v in box)
        color = class_color(int(label), len(classes))
        cv2.rectangle(canvas, (x1, y1), (x2, y2), color, 2, cv2.LINE_AA)
        text = classes[int(label)]
        if scores is not None:
            text += f' {float(scores[i]):.2f}'
        put_label(canvas, text, (x1, y1), color)
    return canvas


def put_label(canvas: np.ndarray, text: str, corner: Tuple[int, int],
              color: Tuple[int, int, int]) -> None:
    """Write black text on a coloured ground, inside the picture."""
    (width, height), base = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX,
                                            0.45, 1)
    x = min(max(corner[0], 0), max(canvas.shape[1] - width - 4, 0))
    y = max(corner[1], height + base + 2)
    cv2.rectangle(canvas, (x, y - height - base - 2), (x + width + 4, y),
                  color, -1)
    cv2.putText(canvas, text, (x + 2, y - base), cv2.FONT_HERSHEY_SIMPLEX,
                0.45, (0, 0, 0), 1, cv2.LINE_AA)


def titled_panels(panels: Sequence[np.ndarray],
                  titles: Sequence[str],
                  margin: int = 6) -> np.ndarray:
    """Pictures of one size in a row, each below its title.

    Args:
        panels (Sequence[np.ndarray]): (H, W, 3) uint8 BGR each.
        titles (Sequence[str]): One a picture.
        margin (int): Pixels between pictures.

    Returns:
        np.ndarray: (H + 28, n * (W + margin) + margin, 3) uint8 BGR.
    """
    height, width = panels[0].shape[:2]
    row = np.full((height + 28, len(panels) * (width + margin) + margin, 3),
                  32, np.uint8)
    for i, (panel, title) in enumerate(zip(panels, titles)):
        left = margin + i * (width + margin)
        row[28:28 + height, left:left + width] = panel
        cv2.putText(row, title, (left + 2, 19), cv2.FONT_HERSHEY_SIMPLEX, 0.5,
                    (255, 255, 255), 1, cv2.LINE_AA)
    return row


def write_video(path: Union[str, Path],
                frames: Iterable[np.ndarray],
                fps: int = 6) -> int:
    """Write frames as H.264 in an MP4 that browsers play.

    The file appears under its name only when it is complete.

    Args:
        path (str or Path): Where to; replaced if it exists.
        frames (Iterable[np.ndarray]): (H, W, 3) uint8 BGR, all of one size.
        fps (int): Frames a second.

    Returns:
        int: Number of frames written.
    """
    path = Path(path)
    partial = path.with_name(f'.{path.stem}.partial{path.suffix}')
    count = 0
    with av.open(
            str(partial), 'w', options={'movflags': 'faststart'}) as container:
        stream = container.add_stream('libx264', rate=fps)
        stream.pix_fmt = 'yuv420p'
        stream.options = {'crf': '20', 'preset': 'veryfast'}
        for image in frames:
            height, width = (side - side % 2 for side in image.shape[:2])
            if count == 0:
                stream.height, stream.width = height, width
            frame = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(image[:height, :width]), format='bgr24')
            container.mux(stream.encode(frame))
            count += 1
        container.mux(stream.encode())
    partial.replace(path)
    return count
