# Copyright (c) mmrdn contributors. All rights reserved.
import numpy as np
import pytest

from mmrdn.benchmarks import linking
from mmrdn.benchmarks.plain_seq_nms import plain_seq_nms
from mmrdn.post_processing import SeqNMS


@pytest.mark.slow
@pytest.mark.parametrize('num_classes', [1, 4])
@pytest.mark.parametrize('seed', range(3))
def test_plain_seq_nms_and_ours_agree(seed, num_classes):
    """Two independent searches on crowds of drifting boxes."""
    frames = linking.random_video(40, 24, num_classes, seed)
    found = SeqNMS().link(frames)
    expected = plain_seq_nms(frames)
    assert sum(len(scores) for scores in expected) == 40 * 24
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)
    assert any((scores == 0).any() for scores in found)  # some suppressed


@pytest.mark.slow
def test_crowds_in_which_chains_mend_each_other():
    """A chain that is mended lowers the sums of chains that it crosses."""
    frames = linking.random_video(150, 80, 1)
    for a, b, _ in zip(SeqNMS().link(frames), plain_seq_nms(frames), frames, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-9)


def test_what_computes_something_else_is_not_timed(monkeypatch):
    monkeypatch.setattr(linking, 'plain_seq_nms', lambda frames: [f['scores'] + 1 for f in frames])
    with pytest.raises(ValueError, match='frame 0: .* disagree'):
        linking._check_seq_nms(linking.random_video(3, 4, 1))


@pytest.mark.slow
def test_every_linker_is_timed():
    times = linking.time_linking(repeats=2, quick=True)
    assert len(times) == 3 * 2
    for row in times.values():
        assert 0 < row['min'] <= row['median'] <= row['max']
        assert row['repeats'] == 2
