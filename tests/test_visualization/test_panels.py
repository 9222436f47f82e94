# Copyright (c) mmrdn contributors. All rights reserved.
import av
import numpy as np
import pytest

from mmrdn.visualization import (class_color, draw_boxes, titled_panels,
                                 write_video)


def test_boxes_are_drawn_where_they_are():
    image = np.zeros((40, 60, 3), np.uint8)
    out = draw_boxes(image, np.array([[10, 20, 30, 35]]), np.array([1]),
                     ['a', 'b'], np.array([0.5]), 3)
    assert out.shape == (120, 180, 3) and not image.any()
    color = class_color(1, 2)
    for x, y in ((30, 80), (90, 80), (60, 105)):  # left, right and lower edge
        assert np.abs(out[y, x].astype(int) - color).max() < 40
    assert not out[85:100, 35:85].any()  # nothing inside the box
    assert not out[:, 120:].any()


def test_classes_have_different_colors():
    colors = {class_color(i, 30) for i in range(30)}
    assert len(colors) == 30


def test_panels_stand_side_by_side():
    panels = [np.full((20, 100, 3), value, np.uint8) for value in (50, 200)]
    row = titled_panels(panels, ['a', 'b'], margin=4)
    assert row.shape == (48, 2 * 104 + 4, 3)
    assert (row[28:, 4:104] == 50).all() and (row[28:, 108:208] == 200).all()


@pytest.mark.parametrize('size', [(48, 64), (49, 65)])
def test_video_is_h264_that_browsers_play(tmp_path, size):
    """Frames come back in order and about as they were."""
    levels = [40, 120, 200]
    path = tmp_path / 'out.mp4'
    count = write_video(
        path, (np.full((*size, 3), v, np.uint8) for v in levels), fps=5)
    assert count == 3 and [p.name for p in tmp_path.iterdir()] == ['out.mp4']
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == 'h264'
        assert stream.codec_context.pix_fmt == 'yuv420p'
        assert stream.average_rate == 5
        frames = [f.to_ndarray(format='bgr24') for f in container.decode()]
    assert [f.shape for f in frames] == [(48, 64, 3)] * 3
    for frame, value in zip(frames, levels):
        assert abs(frame.mean() - value) < 4
