# Copyright (c) mmrdn contributors. All rights reserved.
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmtrack.structures import TrackDataSample
from torch.utils._python_dispatch import TorchDispatchMode

from helpers.memory import NaivePool, aggregator, frames, padded
from mmrdn.models import RelationAggregator, RelationMemory, RelationStep, SelectiveSupportSampler, SlidingWindow
from mmrdn.models.memory import FrameProposals

# Operations that only look at a tensor in another way, or make an empty one, and so launch nothing.
VIEWS = {
    'view', '_unsafe_view', 'reshape', 'expand', 'permute', 't', 'transpose', 'slice', 'select', 'unsqueeze',
    'squeeze', 'split', 'split_with_sizes', 'unbind', 'detach', 'alias', 'as_strided', 'empty', 'empty_like', 'narrow',
}  # fmt: skip


@pytest.mark.parametrize('scope', ['pool', 'frame'])
@pytest.mark.parametrize(
    'kwargs',
    [
        dict(),
        dict(advanced_transform=True),
        dict(advanced=False),
        dict(num_basic=0),
        dict(num_basic=1, pixel_offset=1.0),
    ],
)
def test_matches_naive_loops(kwargs, scope):
    """Eq. 3-7 over the last L frames, by float64 loops, with frames that lack supports."""
    module = aggregator(**kwargs)
    sampler = SelectiveSupportSampler(4, 0.3, scope)
    step, naive = RelationStep(module, sampler, 3), NaivePool(module, sampler, 3)
    state = step.initial_state()
    for i, proposals in enumerate(frames([6, 3, 0, 5, 1, 4])):
        state = step.append(state, *padded(step, proposals))
        naive.append(*proposals)
        feats, boxes, _ = next(frames([2], seed=100 + i))
        with torch.no_grad():
            outs = step.relate(state, feats, boxes)
        torch.testing.assert_close(outs, torch.as_tensor(naive.aggregate(feats, boxes)[0]), rtol=1e-9, atol=1e-9)


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(
    counts=st.lists(st.integers(0, 9), min_size=1, max_size=12),
    temporal_range=st.integers(0, 4),
    lookahead=st.sampled_from([0, 2, None]),
    scope=st.sampled_from(['pool', 'frame']),
)
def test_equals_the_memory_over_videos_in_fp32(counts, temporal_range, lookahead, scope):
    """Start, end, shorter than T, one frame, changing counts; what the window hands out at the end
    has frames without supports behind it."""
    module = aggregator(16, 4, dtype=torch.float32)
    for parameter in module.parameters():
        parameter.data *= 0.5  # or no order of work in fp32 is within 1e-4 of float64
    sampler = SelectiveSupportSampler(5, 0.3, scope)
    lookahead = temporal_range if lookahead is None else min(lookahead, temporal_range)
    num_frames = temporal_range + lookahead + 1
    window = SlidingWindow(RelationMemory(module, sampler, num_frames), temporal_range, lookahead)
    step = RelationStep(module, sampler, num_frames)
    state = step.initial_state()
    nothing = (torch.zeros(5, 16), torch.zeros(5, 4), torch.zeros(5), 0)

    def check(frame):
        if not sum(window.memory.num_per_frame):  # the memory has no pool: nothing is added
            torch.testing.assert_close(step.relate(state, frame.feats, frame.boxes), frame.feats)
            return
        expected, weights = window.memory.aggregate(frame.feats, frame.boxes, return_weights=True)
        outs, found = step.relate(state, frame.feats, frame.boxes, return_weights=True)
        torch.testing.assert_close(outs, expected, rtol=1e-4, atol=1e-4 * expected.abs().amax().item() + 1e-6)
        torch.testing.assert_close(found[:, state['valid']], weights, rtol=1e-3, atol=1e-5)
        assert (found[:, ~state['valid']] == 0).all()

    with torch.inference_mode():
        for proposals in frames(counts, 16, dtype=torch.float32):
            ready = window.admit(FrameProposals(*proposals, data_sample=TrackDataSample()))
            state = step.append(state, *padded(step, proposals))
            if ready is not None and len(ready.feats):
                check(ready)
        for ready in window.flush():
            state = step.append(state, *nothing)
            if len(ready.feats):
                check(ready)


class Launches(TorchDispatchMode):
    """Record the operations that launch a kernel, and where a value is asked for."""

    def __init__(self):
        super().__init__()
        self.names, self.dtypes = [], set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if name not in VIEWS:
            self.names.append(name)
        if name in ('index', 'index_put_'):
            assert not any(ind is not None and ind.dtype == torch.bool for ind in args[1]), 'boolean index'
        self.dtypes |= {x.dtype for x in (out if isinstance(out, (tuple, list)) else [out]) if torch.is_tensor(x)}
        return out


@pytest.mark.parametrize('scope', ['pool', 'frame'])
def test_few_launches_and_no_wait(scope):
    """With the paper's modules (N_b = 2, advanced stage); sizes change no number of launches."""
    module = aggregator(32, 16, dtype=torch.float32)
    step = RelationStep(module, SelectiveSupportSampler(6, 0.2, scope), 7)
    state = step.initial_state()
    generator = torch.Generator().manual_seed(0)
    key = torch.rand(9, 32, generator=generator), torch.rand(9, 4, generator=generator).cumsum(1)
    with torch.no_grad(), Launches() as launches:  # in inference mode those made of others are not split
        state = step.append(state, key[0][:6], key[1][:6], key[0][:6, 0], torch.tensor(6))
        step.relate(state, *key, return_weights=True)
    assert len(launches.names) <= 150, launches.names
    assert not {'nonzero', '_local_scalar_dense', 'masked_select', 'item'} & set(launches.names)
    assert torch.float64 not in launches.dtypes


@pytest.mark.slow
@pytest.mark.parametrize('exports', [False, True])
def test_exports_and_compiles_whole(exports):
    """The graph gives what eager mode gives, for numbers of supports that it was not made with."""
    module = aggregator(16, 4, dtype=torch.float32)
    step = RelationStep(module, SelectiveSupportSampler(4, 0.3), 3).eval()
    videos = list(frames([4, 2, 4, 1, 3], 16, dtype=torch.float32))
    keys = next(frames([5], 16, seed=9, dtype=torch.float32))[:2]

    def inputs(state, proposals):
        *rows, num = padded(step, proposals)
        return (state, *rows, torch.tensor(num), *keys)

    if exports and torch.__version__ < (2, 6):
        pytest.skip(f'mmrdn exports with torch 2.6 or later, this is {torch.__version__}')
    with torch.no_grad():
        if exports:
            graph = torch.export.export(step, inputs(step.initial_state(), videos[0])).module()
        else:
            graph = torch.compile(step, fullgraph=True, backend='aot_eager')
        states = [step.initial_state()] * 2
        for proposals in videos:
            results = [run(*inputs(state, proposals)) for run, state in zip((step, graph), states)]
            states = [state for _, state in results]
            for outs, state in results[1:]:
                torch.testing.assert_close(outs, results[0][0])
                torch.testing.assert_close(state, results[0][1])


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision(dtype):
    """Close to fp32; boxes stay in fp32."""
    exact = aggregator(16, 4, dtype=torch.float32)
    rough = aggregator(16, 4, dtype=torch.float32).to(dtype)
    sampler = SelectiveSupportSampler(4, 0.3)
    steps = [RelationStep(module, sampler, 3) for module in (exact, rough)]
    states = [step.initial_state() for step in steps]
    assert states[1]['keys'].dtype == dtype and states[1]['boxes'].dtype == torch.float32
    feats, boxes, _ = next(frames([5], 16, seed=9, dtype=torch.float32))
    with torch.no_grad():
        for proposals in frames([4, 2, 4], 16, dtype=torch.float32):
            for i, step in enumerate(steps):
                rows, *rest = padded(step, proposals)
                states[i] = step.append(states[i], rows.to(states[i]['feats'].dtype), *rest)
        expected, outs = (
            step.relate(state, feats.to(state['feats'].dtype), boxes) for step, state in zip(steps, states)
        )
    torch.testing.assert_close(outs.float(), expected, rtol=0.05, atol=0.05 * expected.abs().amax().item())


def test_a_step_is_where_its_modules_are():
    step = RelationStep(aggregator().to('meta'), SelectiveSupportSampler(4), 3)
    assert {part.device.type for part in [*step.buffers(), *step.initial_state().values()]} == {'meta'}


def test_a_step_may_be_cast_after_it_was_made():
    module, sampler = aggregator(16, 4, dtype=torch.float32), SelectiveSupportSampler(4, 0.3)
    cast = RelationStep(module, sampler, 3)
    cast.double()
    exact = RelationStep(module, sampler, 3)
    keys = next(frames([5], 16, seed=9))[:2]
    states = [step.initial_state() for step in (exact, cast)]
    with torch.no_grad():
        for proposals in frames([4, 2, 4], 16):
            states = [step.append(state, *padded(step, proposals)) for step, state in zip((exact, cast), states)]
        expected, outs = (step.relate(state, *keys) for step, state in zip((exact, cast), states))
    torch.testing.assert_close(outs, expected, rtol=1e-3, atol=1e-3)


def test_the_state_is_not_changed_and_keeps_its_size():
    step = RelationStep(aggregator(), SelectiveSupportSampler(4), 3)
    first = step.initial_state()
    sizes = {name: part.nbytes for name, part in first.items()}
    state = first
    for proposals in frames([4, 2, 7, 5]):
        state = step.append(state, *padded(step, proposals))
    assert not first['valid'].any() and not first['feats'].any()
    assert {name: part.nbytes for name, part in state.items()} == sizes
    # By hand: C = 8 doubles of feats, 4 of boxes, 1 score, a flag; keys and values of 3 modules.
    assert sum(sizes.values()) == 12 * (8 * (8 + 4 + 1) + 1 + 2 * 3 * 8 * 8)


def test_bad_input():
    sampler = SelectiveSupportSampler(4)
    step = RelationStep(aggregator(), sampler, 3)
    state = step.initial_state()
    rows = padded(step, next(frames([4])))
    with pytest.raises(ValueError, match='max_frames must be 1 or more, got 0'):
        RelationStep(aggregator(), sampler, 0)
    with pytest.raises(ValueError, match='ObjectRelationModule, got SelsaRelation'):
        RelationStep(RelationAggregator(8, 2, relation=dict(type='mmrdn.SelsaRelation')), sampler, 3)
    with pytest.raises(ValueError, match='ObjectRelationModule, got none'):
        RelationStep(RelationAggregator(8, 2, num_basic=0, advanced=False), sampler, 3)
    with pytest.raises(ValueError, match='must have K = 4 rows, got 3, 3 and 4'):
        step.append(state, rows[0][:3], rows[1][:3], rows[2], 3)
    with pytest.raises(ValueError, match='num must be 0 .. 4, got 5'):
        step.append(state, *rows[:3], 5)
    with pytest.raises(ValueError, match=r'feats must be \(n, 8\), got \(4, 7\)'):
        step.relate(state, rows[0][:, :7], rows[1])
