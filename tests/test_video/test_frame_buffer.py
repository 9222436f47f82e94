# Copyright (c) mmrdn contributors. All rights reserved.
import pytest

from mmrdn.video import Frame, FrameBuffer


@pytest.mark.parametrize('behind', [0, 1, 3])
@pytest.mark.parametrize('late', [0, 1, 4])
def test_holds_what_is_needed_and_no_more(behind, late):
    """Against a plain list; images are numbers here."""
    buffer, taken = FrameBuffer(behind), 0
    for i in range(10 + late):
        if i < 10:
            buffer.add(Frame(i, i, i / 25))
        if i < late:
            continue
        frame, images = buffer.take()
        newest = min(i, 9)
        expected = range(max(0, taken - behind), newest + 1)
        assert frame.index == taken
        assert images == {j - taken: j for j in expected}
        taken += 1
        assert len(buffer) <= behind + late + 1
        assert buffer.num_waiting == newest + 1 - taken
    assert taken == 10
