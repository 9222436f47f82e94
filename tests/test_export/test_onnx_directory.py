# Copyright (c) mmrdn contributors. All rights reserved.
"""Exported detectors compute over whole videos what PyTorch does."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from helpers.exported import assert_same_results, clip, export_tiny, fpn_model, need_onnx
from helpers.rdn import tiny_model
from helpers.tools import ROOT
from helpers.videos import read_mp4, tiny_inferencer, write_mp4

need_onnx()

import onnx  # noqa: E402


@pytest.fixture(scope='module')
def exported(tmp_path_factory):
    """A detector with T = 2, and its directory."""
    out = tmp_path_factory.mktemp('exported') / 'model'
    return export_tiny(out, sizes=['48x64', '50x90']), out


# The command where only what mmrdn-runtime asks for is installed, and mmrdn has no __init__.py.
COMMAND = """
import sys, types

ASKED_FOR = 'numpy onnxruntime av cv2 PIL matplotlib mmrdn mmrdn_runtime'.split()
THEIRS = 'mpl_toolkits contourpy cycler dateutil six fontTools kiwisolver packaging pyparsing'.split()
THEIRS += 'google flatbuffers'.split()


class Refusal:
    @staticmethod
    def find_spec(name, path=None, target=None):
        top = name.partition('.')[0]
        if top not in sys.stdlib_module_names and top not in ASKED_FOR + THEIRS:
            raise ImportError(f'{name} is not installed')


sys.meta_path.insert(0, Refusal)
root = sys.argv.pop(1)
sys.modules['mmrdn'] = types.ModuleType('mmrdn')
sys.modules['mmrdn'].__path__ = [root + '/mmrdn']
sys.path.insert(0, root + '/runtime')
from mmrdn_runtime.command import main
main()
"""


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
    items = dict(float32=4, bool=1)
    state = manifest['memory']['state'].values()
    expected = sum(np.prod(part['shape']) * items[part['dtype']] for part in state)
    stream = detector_of(exported[1]).open_stream()
    for frame in clip(7):
        stream.feed(frame)
        assert stream.nbytes == expected


@pytest.mark.parametrize(('file', 'aligns'), [('extract.onnx', 1), ('relate.onnx', 0)])
def test_operators(file, aligns, exported):
    graph = onnx.load(exported[1] / file).graph
    assert {node.domain for node in graph.node} <= {'', 'ai.onnx'}
    kinds = [node.op_type for node in graph.node]
    assert kinds.count('NonMaxSuppression') == 1 and kinds.count('RoiAlign') == aligns
    doubles = [x.name for x in (*graph.initializer,) if x.data_type == onnx.TensorProto.DOUBLE]
    values = [v.name for v in graph.value_info if v.type.tensor_type.elem_type == onnx.TensorProto.DOUBLE]
    assert doubles + values == []


def test_comparison_is_recorded(exported):
    manifest = json.loads((exported[1] / 'manifest.json').read_text())
    assert set(manifest['compared']) == {'48x64', '50x90'}
    assert min(manifest['compared'].values()) >= 0.95


@pytest.mark.parametrize('make', [lambda: tiny_model(neck=None), fpn_model], ids=['single frame', 'pyramid'])
def test_other_detectors(make, tmp_path):
    model = make()
    model.data_preprocessor = tiny_inferencer().model.data_preprocessor
    inferencer = export_tiny(tmp_path / 'model', model)
    frames = clip(4)
    assert_same_results(list(detector_of(tmp_path / 'model').stream(frames)), list(inferencer.stream(frames)))


def run_command(folder, *args):
    return subprocess.run(
        [sys.executable, '-c', COMMAND, str(ROOT), *args], capture_output=True, text=True, timeout=120, cwd=folder
    )


def test_command_without_torch(exported, tmp_path):
    inferencer, out = exported
    write_mp4(tmp_path / 'in.mp4', clip(5))
    frames = read_mp4(tmp_path / 'in.mp4')[0]
    outputs = '--out-video', 'out.mp4', '--out-json', 'out.jsonl'
    done = run_command(tmp_path, 'in.mp4', '--model', str(out), *outputs, '--score-thr', '0.3')
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
    done = run_command(tmp_path, *args, '--out-json', 'out.jsonl')
    assert done.returncode == 1 and message in done.stderr
    assert done.stderr.startswith('error: ') and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / 'out.jsonl').exists()
