# Copyright (c) mmrdn contributors. All rights reserved.
from types import SimpleNamespace

import pytest

from mmrdn.engine import VideoTestLoop


class Late:
    """A detector whose results come one batch late."""

    def __init__(self):
        self.held = []

    def test_step(self, batch):
        results, self.held = self.held, batch
        return results

    def flush(self):
        return self.test_step([])


def frames_of(flags, length):
    """Frames as ``collate_skippable`` gives them: the result of each bad one (x), None of others."""
    return [
        (i, dict(bad_frame='bad', frame_id=i, video_length=length) if flag == 'x' else None)
        for i, flag in enumerate(flags)
    ]


@pytest.mark.parametrize(
    'flags, size, expected',
    [
        ('ooox', 1, [[], [0], [1], [2]]),  # the last frame alone is bad
        ('ooox', 2, [[], [0, 1, 2]]),  # the last batch has a good one too
        ('ooxx', 2, [[], [0, 1]]),
        ('oxoo', 2, [[], [0]]),  # the detector sees the end of the video itself
    ],
)
def test_hooks_get_what_is_measured(flags, size, expected):
    """Once each iteration, flushed results among the others."""
    measured, calls = [], []
    loop = VideoTestLoop.__new__(VideoTestLoop)
    loop._runner = SimpleNamespace(model=Late(), call_hook=lambda name, **kwargs: calls.append((name, kwargs)))
    loop.evaluator = SimpleNamespace(
        expect=lambda frames: None, process=lambda data_samples, data_batch=None: measured.extend(data_samples)
    )
    loop.skips, loop.fp16, loop.test_loss = True, False, {}
    frames = frames_of(flags, len(flags))
    batches = [frames[i : i + size] for i in range(0, len(frames), size)]
    for idx, batch in enumerate(batches):
        loop.run_iter(idx, (batch, [i for i, bad in batch if bad is None] or None))
    after = [kwargs for name, kwargs in calls if name == 'after_test_iter']
    assert [name for name, _ in calls] == ['before_test_iter', 'after_test_iter'] * len(batches)
    assert [list(kwargs['outputs']) for kwargs in after] == expected
    assert measured == sum(expected, [])
