# Copyright (c) mmrdn contributors. All rights reserved.
"""Results and waits on a GPU, compared with the CPU, float64 loops or fp32. Skipped without a GPU."""

import contextlib
import warnings
from pathlib import Path

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

import mmrdn
from helpers.memory import NaivePool, aggregator, frames, padded
from helpers.rdn import cascade_config, model_config, run, tiny_model, video
from mmrdn.models import RelationMemory, RelationStep, SelectiveSupportSampler

pytestmark = pytest.mark.gpu


@pytest.fixture(autouse=True)
def exact_products(monkeypatch):
    """Turn TF32 off, which torch allows in convolutions by default."""
    monkeypatch.setattr(torch.backends.cudnn, 'allow_tf32', False)


@contextlib.contextmanager
def waits_are(mode):
    """Make each wait of the host for the GPU a warning ('warn') or an error ('error')."""
    torch.cuda.set_sync_debug_mode(mode)
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode('default')


@pytest.mark.parametrize('scope', ['pool', 'frame'])
def test_the_memory_matches_naive_loops(scope):
    """Eq. 3-7 over a window that fills and then drops frames, compared with float64 loops on the CPU."""
    module, sampler = aggregator(), SelectiveSupportSampler(4, 0.3, scope)
    memory, naive = RelationMemory(aggregator().cuda(), sampler, 3), NaivePool(module, sampler, 3)
    for i, proposals in enumerate(frames([6, 3, 5, 1, 4, 7])):
        memory.append(*(part.cuda() for part in proposals))
        naive.append(*proposals)
        feats, boxes, _ = next(frames([2], seed=100 + i))
        with torch.inference_mode():
            found = memory.aggregate(feats.cuda(), boxes.cuda(), return_weights=True)
        for part, expected in zip(found, naive.aggregate(feats, boxes), strict=True):
            assert part.is_cuda
            torch.testing.assert_close(part.cpu(), torch.as_tensor(expected), rtol=1e-9, atol=1e-9)


def test_a_frame_of_the_step_never_waits():
    module = aggregator(32, 16, dtype=torch.float32).cuda()
    step = RelationStep(module, SelectiveSupportSampler(6, 0.2), 7)
    state = step.initial_state()
    feats, boxes, scores = (part.cuda() for part in next(frames([9], 32, dtype=torch.float32)))
    num = torch.tensor(6, device='cuda')

    def frame():
        after = step.append(state, feats[:6], boxes[:6], scores[:6], num)
        return step.relate(after, feats, boxes, return_weights=True)

    with torch.inference_mode():
        expected = frame()
        torch.cuda.synchronize()
        with waits_are('error'):
            found = frame()
        torch.testing.assert_close(found, expected)


def test_a_frame_of_the_step_as_a_cuda_graph():
    """A graph that was captured once gives the results of single launches for other frames too."""
    module = aggregator(32, 16, dtype=torch.float32).cuda()
    step = RelationStep(module, SelectiveSupportSampler(6, 0.2), 5)
    videos = [[part.cuda() for part in proposals] for proposals in frames([6] * 8, 32, dtype=torch.float32)]
    held = [torch.zeros_like(part) for part in videos[0]]
    num = torch.tensor(6, device='cuda')

    def frame(state, feats, boxes, scores):
        after = step.append(state, feats, boxes, scores, num)
        return after, step.relate(after, feats, boxes)

    with torch.inference_mode():
        state, stream, graph = step.initial_state(), torch.cuda.Stream(), torch.cuda.CUDAGraph()
        with torch.cuda.stream(stream):
            frame(state, *held)  # makes the handles of cuBLAS before the capture
        torch.cuda.synchronize()
        with torch.cuda.graph(graph):
            after, outs = frame(state, *held)
        expected_state = step.initial_state()
        for proposals in videos:
            for target, source in zip(held, proposals):
                target.copy_(source)
            graph.replay()
            expected_state, expected = frame(expected_state, *proposals)
            torch.testing.assert_close(outs, expected)
            for name, part in state.items():
                part.copy_(after[name])


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_the_memory_under_autocast(dtype):
    """Features are close to those of fp32 while a window fills and drops frames."""
    module, sampler = aggregator(32, 4, dtype=torch.float32).cuda(), SelectiveSupportSampler(4, 0.3)
    exact, rough = RelationMemory(module, sampler, 3), RelationMemory(module, sampler, 3)
    for i, proposals in enumerate(frames([4, 2, 4, 5, 3], 32, dtype=torch.float32)):
        feats, boxes, _ = (part.cuda() for part in next(frames([5], 32, seed=9 + i, dtype=torch.float32)))
        for memory in (exact, rough):
            memory.append(*(part.cuda() for part in proposals))
        with torch.inference_mode():
            expected = exact.aggregate(feats, boxes)
            with torch.autocast('cuda', dtype):
                outs = rough.aggregate(feats, boxes)
        torch.testing.assert_close(outs.float(), expected, rtol=0.05, atol=0.05 * expected.abs().amax().item())


def test_gradients_equal_those_of_the_cpu():
    """Gradients of features and of the weights of all relation modules, in float64."""
    modules = [aggregator(), aggregator().cuda()]
    (feats, boxes, _), (pool, pool_boxes, _) = next(frames([5], seed=1)), next(frames([12], seed=2))
    inds, grads = torch.tensor([0, 3, 7]), []
    for module in modules:
        device = next(module.parameters()).device
        inputs = [part.to(device) for part in (feats, boxes, pool, pool_boxes, inds)]
        wanted = [inputs[0].requires_grad_(), inputs[2].requires_grad_(), *module.parameters()]
        loss = module(*inputs).square().sum()
        grads.append([loss.detach(), *torch.autograd.grad(loss, wanted)])
    for expected, found in zip(*grads, strict=True):
        torch.testing.assert_close(found.cpu(), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize('config', [model_config, cascade_config], ids=['Faster R-CNN', 'cascade'])
def test_detections_equal_those_of_the_cpu(config):
    """Each frame of a video has the same boxes, classes and scores, in any order."""
    results, recorders = [], [dict(type='mmrdn.NextFrameRelations'), dict(type='mmrdn.TopSupports')]
    for device in ('cpu', 'cuda'):
        model = tiny_model(config(recorders=recorders)).to(device)
        results.append(run(model, [(dict(img=inputs['img'].to(device)), samples) for inputs, samples in video(8)]))
    num = 0
    for expected, found in zip(*results, strict=True):
        for records in ('link_relations', 'top_supports'):  # sums, because detections may change places
            sums = [getattr(result, records).weights.sum().item() for result in (expected, found)]
            assert sums[1] == pytest.approx(sums[0], rel=1e-2)
        expected, found = (
            [part.cpu() for part in (r.bboxes, r.scores, r.labels)]
            for r in (expected.pred_det_instances, found.pred_det_instances)
        )
        assert len(found[0]) == len(expected[0])
        missing = torch.ones(len(found[0]), dtype=torch.bool)
        for box, score, label in zip(*found):
            near = (expected[0] - box).abs().amax(1) < 0.01  # pixels
            same = missing & near & ((expected[1] - score).abs() < 1e-4) & (expected[2] == label)
            assert same.any()
            missing[same.nonzero()[0]] = False
            num += 1
    assert num > 20


def test_where_a_whole_frame_waits():
    """One wait is ours, after NMS; the others are in mmdet, see docs/benchmarks.md."""
    model = tiny_model(model_config()).cuda()
    *earlier, (inputs, samples) = [(dict(img=inputs['img'].cuda()), samples) for inputs, samples in video(8)][:6]
    with torch.inference_mode(), warnings.catch_warnings(record=True) as caught:
        for frame in earlier:
            model.predict(*frame)
        warnings.simplefilter('always')
        with waits_are('warn'):
            assert len(model.predict(inputs, samples)) == 1
    places = [Path(w.filename) for w in caught if 'synchronizing' in str(w.message)]
    package = Path(mmrdn.__file__).parent
    assert [path.name for path in places if package in path.parents] == ['rdn_roi_head.py']


def test_launches_of_the_relation_step():
    """146 on an H200; the limit is higher because libraries choose how many kernels a matrix product takes."""
    module = aggregator(32, 16, dtype=torch.float32).cuda()
    step = RelationStep(module, SelectiveSupportSampler(6, 0.2), 7)
    state = step.initial_state()
    feats, boxes, scores = (part.cuda() for part in next(frames([9], 32, dtype=torch.float32)))
    num = torch.tensor(6, device='cuda')
    with torch.inference_mode():
        for _ in range(2):
            with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as record:
                state = step.append(state, feats[:6], boxes[:6], scores[:6], num)
                step.relate(state, feats, boxes)
                torch.cuda.synchronize()
    assert sum(event.name.startswith('cudaLaunchKernel') for event in record.events()) <= 160


def test_the_compiled_step():
    """Compiled as one graph, the step gives the results of eager mode."""
    module = aggregator(32, 4, dtype=torch.float32).cuda()
    step = RelationStep(module, SelectiveSupportSampler(4, 0.3), 3).eval()
    compiled = torch.compile(step, fullgraph=True)
    states = [step.initial_state()] * 2
    keys = [part.cuda() for part in next(frames([5], 32, seed=9, dtype=torch.float32))[:2]]
    with torch.inference_mode():
        for proposals in frames([4, 2, 4, 1, 3], 32, dtype=torch.float32):
            *rows, num = padded(step, proposals)
            inputs = (*(row.cuda() for row in rows), torch.tensor(num, device='cuda'), *keys)
            results = [run(state, *inputs) for run, state in zip((step, compiled), states)]
            states = [state for _, state in results]
            torch.testing.assert_close(results[1][0], results[0][0], rtol=1e-3, atol=1e-3)
