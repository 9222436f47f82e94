# Copyright (c) mmrdn contributors. All rights reserved.
import pytest
import torch
from mmtrack.structures import TrackDataSample

from mmrdn.models import RelationAggregator, RelationMemory, RepeatedFrameWindow, SelectiveSupportSampler
from mmrdn.models.memory import FrameProposals


def frame(number, num=2):
    """Proposals of frame t; their features are t."""
    return FrameProposals(
        torch.full((num, 8), float(number)),
        torch.rand(num, 4),
        torch.ones(num),
        TrackDataSample(metainfo=dict(scale_factor=(number, number))),
    )


def window(temporal_range, lookahead):
    memory = RelationMemory(
        RelationAggregator(8, 2, num_basic=1, advanced=False),
        SelectiveSupportSampler(2),
        temporal_range + lookahead + 1,
    )
    return RepeatedFrameWindow(memory, temporal_range, lookahead)


def run(state, length):
    """(number of the frame, window) of each frame that is handed out."""
    for i in range(length):
        ready = state.admit(frame(i))
        if ready is not None:
            yield int(ready.feats[0, 0]), state
    for ready in state.flush():
        yield int(ready.feats[0, 0]), state


@pytest.mark.parametrize('temporal_range, lookahead', [(2, 2), (3, 1), (2, 0), (0, 0)])
@pytest.mark.parametrize('length', [1, 2, 3, 5, 9])
def test_first_and_last_frame_stand_in(temporal_range, lookahead, length):
    state = window(temporal_range, lookahead)
    for _ in range(2):  # a second video finds nothing of the first
        out = []
        for t, now in run(state, length):
            expected = [min(max(t + k, 0), length - 1) for k in range(-temporal_range, lookahead + 1)]
            feats, _, _, nums = now.memory.pool()
            assert feats[::2, 0].tolist() == expected
            assert nums == [2] * len(expected)
            assert list(now.offsets()) == [number - t for number in expected]
            assert now.scale_factors == [(i, i) for i in expected]
            out.append(t)
        assert out == list(range(length))
        assert len(state.memory) == state.num_waiting == 0


def test_columns_are_those_of_the_first_copy():
    rows = {}
    for t, now in run(window(2, 2), 3):
        rows[t] = [now.columns(k) for k in (-1, 0, 1, 2, 3)]
    none = slice(0, 0)
    # Pools: 0 0 0 1 2, 0 0 1 2 2, 0 1 2 2 2; two rows a frame.
    assert rows[0] == [none, slice(0, 2), slice(6, 8), slice(8, 10), none]
    assert rows[1] == [slice(0, 2), slice(4, 6), slice(6, 8), none, none]
    assert rows[2] == [slice(2, 4), slice(4, 6), none, none, none]
