# Copyright (c) mmrdn contributors. All rights reserved.
"""Exported detectors compute over whole videos what PyTorch does."""

import json
import shutil

import numpy as np
import pytest
import torch
from mmtrack.structures import TrackDataSample

from helpers.exported import (
    assert_plain_onnx,
    assert_same_results,
    cascade_model,
    clip,
    export_tiny,
    fpn_model,
    need_onnx,
    run_runtime,
)
from helpers.rdn import cascade_config, tiny_model
from helpers.videos import read_mp4, tiny_inferencer, write_mp4
from mmrdn.apis import VideoInferencer
from mmrdn.export.onnx_directory import export_onnx

need_onnx()


def detector_of(path):
    from mmrdn_runtime import VideoDetector

    return VideoDetector(path, threads=1)


@pytest.mark.parametrize('length', [8, 2, 1])
@pytest.mark.parametrize('size', [(48, 64), (60, 44)])
def test_whole_videos(length, size, exported):
    inferencer, out = exported
    frames = clip(length, size)
    assert_same_results(list(detector_of(out).stream(frames)), list(inferencer.stream(frames)))


def test_two_interleaved_streams(exported):
    inferencer, out = exported
    videos = [clip(5, seed=1), clip(5, (60, 44), seed=2)]
    detector = detector_of(out)
    streams = [detector.open_stream() for _ in videos]
    results = [[], []]
    for frames in zip(*videos):
        for stream, frame, found in zip(streams, frames, results):
            found += stream.feed(frame)
    for stream, frames, found in zip(streams, videos, results):
        assert_same_results(found + stream.flush(), list(inferencer.stream(frames)))


def test_state_does_not_grow(exported):
    manifest = json.loads((exported[1] / 'manifest.json').read_text())
    items = dict(float32=4, int64=8, bool=1)
    state = manifest['memory']['state'].values()
    expected = sum(np.prod(part['shape']) * items[part['dtype']] for part in state)
    stream = detector_of(exported[1]).open_stream()
    for frame in clip(7):
        stream.feed(frame)
        assert stream.nbytes == expected


def test_first_frames_take_supports_only(exported):
    """T = 2: the results of two frames are not wanted yet, so that as many runs are of the small graph."""
    detector, calls = detector_of(exported[1]), []
    for graph, file in zip(detector._graphs, detector.directory.files):
        run = graph._run
        graph._run = lambda values, run=run, file=file: (calls.append(file), run(values))[1]
    assert len(list(detector.stream(clip(4)))) == 4
    taken = ['extract.onnx', 'append.onnx']
    assert calls == taken * 2 + ['extract.onnx', 'relate.onnx'] * 2 + ['relate.onnx'] * 2


@pytest.mark.parametrize('shape', [(1, 48, 64), (3, 48, 64), (2, 80, 48)])
def test_batches_of_frames(shape, exported):
    """Frames of several sizes in one batch: proposals and features are those of PyTorch."""
    inferencer, out = exported
    num, height, width = shape
    image = torch.rand(num, 3, height, width, generator=torch.Generator().manual_seed(0)) * 4 - 2
    size = np.array([[height - 2 * i, width - 3 * i] for i in range(num)])
    found = detector_of(out)._graphs[0](dict(image=image.numpy(), size=size))
    keys = [dict(img_shape=tuple(pair), scale_factor=(1.0, 1.0)) for pair in size.tolist()]
    with torch.inference_mode():
        frames = inferencer.model.extract(image, [TrackDataSample(metainfo=key) for key in keys])
    for i, frame in enumerate(frames):
        rows = found['num'][i]
        assert rows == len(frame.scores) > 0 and not found['feats'][i, rows:].any()
        for name in ('feats', 'boxes', 'scores'):
            np.testing.assert_allclose(found[name][i, :rows], getattr(frame, name), atol=1e-3)


@pytest.mark.parametrize(
    ('file', 'aligns', 'suppressions'), [('extract.onnx', 1, 1), ('relate.onnx', 0, 1), ('append.onnx', 0, 0)]
)
def test_operators(file, aligns, suppressions, exported):
    kinds = [node.op_type for node in assert_plain_onnx(exported[1] / file).node]
    assert kinds.count('NonMaxSuppression') == suppressions and kinds.count('RoiAlign') == aligns


def test_numbers_that_the_runtime_compares(exported):
    """Three classes, and T = 2 frames ahead."""
    import onnx

    properties = onnx.load(exported[1] / 'relate.onnx').metadata_props
    assert {x.key: x.value for x in properties} == dict(num_classes='3', lookahead='2')


def test_comparison_is_recorded(exported):
    manifest = json.loads((exported[1] / 'manifest.json').read_text())
    assert set(manifest['compared']) == {'48x64', '50x90'}
    assert min(manifest['compared'].values()) >= 0.95


@pytest.mark.parametrize(
    ('make', 'scores'),
    # A cascade in fp32 refines boxes that differ in the last digits; where a bin is as long as a step of
    # samples, a score differs by more.
    [
        (lambda: tiny_model(neck=None), 1e-4),
        (fpn_model, 1e-4),
        (cascade_model, 1e-4),
        (lambda: fpn_model(cascade_config()), 1e-3),
    ],
    ids=['single frame', 'pyramid', 'cascade', 'cascade of a pyramid'],
)
def test_other_detectors(make, scores, tmp_path):
    model = make()
    model.data_preprocessor = tiny_inferencer().model.data_preprocessor
    inferencer = export_tiny(tmp_path / 'model', model)
    frames = clip(4)
    results = list(detector_of(tmp_path / 'model').stream(frames))
    assert_same_results(results, list(inferencer.stream(frames)), scores=scores)


def test_command_without_torch(exported, tmp_path):
    inferencer, out = exported
    write_mp4(tmp_path / 'in.mp4', clip(5))
    frames = read_mp4(tmp_path / 'in.mp4')[0]
    outputs = '--out-video', 'out.mp4', '--out-json', 'out.jsonl'
    done = run_runtime(tmp_path, 'in.mp4', '--model', str(out), *outputs, '--score-thr', '0.3')
    assert done.returncode == 0, done.stderr
    assert len(read_mp4(tmp_path / 'out.mp4')[0]) == 5
    lines = [json.loads(line) for line in (tmp_path / 'out.jsonl').read_text().splitlines()]
    expected = [int((x.pred_det_instances.scores >= 0.3).sum()) for x in inferencer.stream(frames)]
    assert [len(line['detections']) for line in lines] == expected and sum(expected)


@pytest.mark.parametrize(
    ('args', 'message'),
    [
        (['none.mp4', '--model', 'MODEL'], 'none.mp4'),
        (['in.mp4', '--model', 'nothing'], 'nothing is no directory of an exported model'),
        (['in.mp4', '--model', 'broken'], 'extract.onnx is damaged or of another export'),
    ],
)
def test_wrong_input_gets_one_line(args, message, exported, tmp_path):
    write_mp4(tmp_path / 'in.mp4', clip(2))
    shutil.copytree(exported[1], tmp_path / 'broken')
    (tmp_path / 'broken' / 'extract.onnx').write_bytes(b'no graph')
    args = [str(exported[1]) if arg == 'MODEL' else arg for arg in args]
    done = run_runtime(tmp_path, *args, '--out-json', 'out.jsonl')
    assert done.returncode == 1 and message in done.stderr
    assert done.stderr.startswith('error: ') and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / 'out.jsonl').exists()


def test_unknown_storage_is_refused(tmp_path):
    with pytest.raises(ValueError, match='storage must be one of fp32, fp16, int8, got int4'):
        export_onnx(tiny_inferencer().cfg, out=tmp_path / 'out', storage='int4')
    assert not list(tmp_path.iterdir())


def test_shorter_side_resize(tmp_path):
    cfg = tiny_inferencer().cfg
    cfg.test_dataloader.dataset.pipeline[1] = dict(type='ShorterSideResize', shorter=72, longest=96)
    inferencer = VideoInferencer(cfg, model=tiny_inferencer().model, device='cpu')
    export_onnx(cfg, out=tmp_path / 'model', model=inferencer.model)
    frames = clip(4, (44, 62))
    assert_same_results(list(detector_of(tmp_path / 'model').stream(frames)), list(inferencer.stream(frames)))
