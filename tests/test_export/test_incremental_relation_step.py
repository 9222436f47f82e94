# Copyright (c) mmrdn contributors. All rights reserved.
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from helpers.memory import NaivePool, aggregator, frames, padded
from mmrdn.export.incremental_relation_step import IncrementalRelationStep
from mmrdn.models import SelectiveSupportSampler

COUNTS = [6, 3, 0, 5, 1, 4, 6, 2, 5, 5]


def made(scope='pool', length=3, **kwargs):
    module, sampler = aggregator(**kwargs), SelectiveSupportSampler(4, 0.4, scope)
    step = IncrementalRelationStep(module, sampler, length).eval()
    return step, NaivePool(module, sampler, length)


@pytest.mark.parametrize('scope', ['pool', 'frame'])
@pytest.mark.parametrize('relates', [(), (1, 4), (0, 1, 5, 6)])
@pytest.mark.parametrize(
    'kwargs', [dict(), dict(advanced_transform=True), dict(advanced=False), dict(num_basic=0, pixel_offset=1.0)]
)
def test_matches_naive_loops(kwargs, relates, scope):
    """Eq. 3-7 by float64 loops, with frames that lack supports, and some that nothing was related to."""
    step, naive = made(scope, **kwargs)
    state = step.initial_state()
    for i, proposals in enumerate(frames(COUNTS)):
        state = step.append(state, *padded(step, proposals))
        naive.append(*proposals)
        if i in relates:
            continue
        feats, boxes, _ = next(frames([2], seed=100 + i))
        with torch.no_grad():
            related, kept = step.relate_and_keep(state, feats, boxes)
            torch.testing.assert_close(step.relate_and_keep(kept, feats, boxes)[0], related)  # twice
            torch.testing.assert_close(step.relate(state, feats, boxes), related)
        state = kept
        torch.testing.assert_close(related, torch.as_tensor(naive.aggregate(feats, boxes)[0]), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize('scope', ['pool', 'frame'])
def test_kept_averages_are_those_of_advanced_supports(scope):
    """They are used, others are not, and each support keeps its own as long as it is advanced."""
    step, _ = made(scope, length=4)
    state = step.initial_state()
    feats, boxes, _ = next(frames([2], seed=100))
    before, uses = {}, []
    for i, proposals in enumerate(frames(COUNTS)):
        state = step.append(state, *padded(step, proposals))
        owned = state['owners'][state['owners'] > 0] - 1
        garbage = torch.ones(len(state['averages']), dtype=torch.bool)
        garbage[owned] = False
        broken = state | dict(averages=state['averages'].clone(), log_denominators=state['log_denominators'].clone())
        broken['averages'][garbage] = torch.nan
        broken['log_denominators'][garbage] = torch.nan
        with torch.no_grad():
            related, kept = step.relate_and_keep(state, feats, boxes)
            torch.testing.assert_close(step.relate_and_keep(broken, feats, boxes)[0], related, rtol=0, atol=0)
            other, _ = step.relate_and_keep(state | dict(averages=state['averages'] + 1), feats, boxes)
            uses.append(not torch.allclose(other, related))
        state = kept
        # Names of supports that stay the same as the window moves: number of the frame, and row in it.
        slots = state['owners'].nonzero()[:, 0]
        names = [(i - step.max_frames + 1 + slot // 4, slot % 4) for slot in slots.tolist()]
        rows = dict(zip(names, (state['owners'][slots] - 1).tolist()))
        assert sorted(rows.values()) == list(range(len(state['averages']) - 1))  # one owner each, but for the spare one
        assert all(rows[name] == row for name, row in before.items() if name in rows)
        before = rows
    assert not uses[0] and sum(uses) > 3  # a support may cease to be advanced


class Writes(TorchDispatchMode):
    """Record the cells that are written at once."""

    def __init__(self):
        super().__init__()
        self.cells = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.overloadpacket.__name__ == 'index_put':
            self.cells.append(torch.stack(args[1], 1))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize('length', [1, 4])
def test_no_cell_is_written_twice(length):
    """ONNX leaves open which of two values stays."""
    step, naive = made(length=length)
    state = step.initial_state()
    for i, proposals in enumerate(frames(COUNTS)):
        feats, boxes, _ = next(frames([2], seed=100 + i))
        naive.append(*proposals)
        with torch.no_grad(), Writes() as writes:
            related, state = step(state, *padded(step, proposals), feats, boxes)
        assert len(writes.cells) == 2
        assert all(len(cells) == len(cells.unique(dim=0)) for cells in writes.cells)
        if length > 1 or len(proposals[0]):  # else there is no pool to relate to
            expected = torch.as_tensor(naive.aggregate(feats, boxes)[0])
            torch.testing.assert_close(related, expected, rtol=1e-9, atol=1e-9)


def test_weights_and_fp32():
    """Mean attention weights are those of RelationStep, and fp32 is close to fp64."""
    step, _ = made(channels=16, heads=4)
    single, _ = made(channels=16, heads=4)
    single.aggregator.float()
    states = [step.initial_state(), single.initial_state(dtype=torch.float32)]
    for i, proposals in enumerate(frames(COUNTS, 16)):
        keys = next(frames([3], 16, seed=100 + i))[:2]
        found = []
        with torch.no_grad():
            for k, (one, dtype) in enumerate(((step, torch.double), (single, torch.float32))):
                feats, boxes, scores, num = padded(one, [part.to(dtype) for part in proposals])
                states[k] = one.append(states[k], feats, boxes, scores, num)
                found.append(one.relate(states[k], *(part.to(dtype) for part in keys), return_weights=True))
                outs, states[k] = one.relate_and_keep(
                    states[k], *(part.to(dtype) for part in keys), return_weights=True
                )
                torch.testing.assert_close(outs, found[-1], rtol=1e-4, atol=1e-4)
        for exact, close in zip(*found):
            torch.testing.assert_close(close.double(), exact, rtol=1e-3, atol=2e-3 * exact.abs().amax().item())
