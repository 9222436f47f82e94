# Copyright (c) mmrdn contributors. All rights reserved.
"""The exported model that comes with the repository, without mmrdn's requirements and with them."""

import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import yaml

from helpers.demo_clip import CLASSES, CLIP, DEMO, NAME, check_digits
from helpers.exported import run_runtime
from helpers.naive_vid_map import loop_iou
from helpers.pages import blocks_to_run
from helpers.tools import ROOT
from helpers.videos import read_mp4
from mmrdn.export.onnx_directory import FORMAT
from mmrdn.video import open_source
from mmrdn_runtime.model_directory import ModelDirectory

MODEL = DEMO / 'moving_digits_onnx'
PAGE = 'docs/deployment.md'


def need_runtime():
    pytest.importorskip('onnxruntime', reason='onnxruntime is not installed (requirements/deploy.txt)')


def test_manifest():
    """It has the format of today and names the checkpoint beside it."""
    models = yaml.safe_load((ROOT / 'configs' / 'rdn' / 'metafile.yml').read_text())['Models']
    checkpoint = ROOT / next(model for model in models if model['Name'] == NAME)['Weights']
    manifest = json.loads((MODEL / 'manifest.json').read_text())
    assert manifest['format'] == FORMAT and manifest['weights'] == 'int8' and not manifest['int8']
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert manifest['checkpoint'] == dict(file=checkpoint.name, sha256=digest)
    assert ModelDirectory(MODEL).classes == CLASSES
    assert {path.name for path in MODEL.iterdir()} == {'manifest.json', *manifest['files']}


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A directory with nothing but the files of ``demo/`` that the runtime needs."""
    shutil.copytree(MODEL, tmp_path / 'demo' / MODEL.name)
    shutil.copy(CLIP, tmp_path / 'demo')
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize('backend', ['onnxruntime', 'openvino'])
@pytest.mark.parametrize(
    'path, value, message',
    [
        (
            'memory.state.feats.shape',
            [100, 256],
            r'state_feats is float32 \[208, 256\], expected float32 \[100, 256\] by',
        ),
        ('memory.state.keys', None, r'state_keys is float32 \[3, 16, 208, 16\], expected no input by'),
        ('memory.num_support', 7, r'support_feats is float32 \[16, 256\], expected float32 \[7, 256\] by'),
        ('memory.state.more', dict(shape=[3], dtype='bool'), r'state_more is no input, expected bool \[3\] by'),
        ('memory.state.valid.dtype', 'float32', r'state_valid is bool \[208\], expected float32 \[208\] by'),
        ('memory.lookahead', 2, r'lookahead is 6, expected 2 by'),
        ('classes', CLASSES[:9], 'num_classes is 10, expected 9 by'),
        ('classes', [*CLASSES, 'ten'], 'num_classes is 10, expected 11 by'),
        ('num_proposals', 10**9, r'key_feats is float32 \[64, 256\], expected float32 \[1000000000, 256\] by'),
    ],
)
def test_a_manifest_of_other_graphs(backend, path, value, message, clone):
    """One line before the first frame."""
    pytest.importorskip(backend, reason=f'{backend} is not installed (requirements/deploy.txt)')
    from mmrdn_runtime import VideoDetector

    manifest = clone / 'demo' / MODEL.name / 'manifest.json'
    data = json.loads(manifest.read_text())
    *parents, key = path.split('.')
    place = functools.reduce(dict.get, parents, data)
    place.pop(key, None)
    if value is not None:
        place[key] = value
    manifest.write_text(json.dumps(data))
    with pytest.raises(ValueError, match=rf'/relate.onnx: {message} manifest.json$'):
        VideoDetector(manifest.parent, backend=backend)


@pytest.mark.slow
def test_command_of_the_page(clone):
    """It finds the digits where neither torch nor OpenMMLab is installed."""
    need_runtime()
    ((command,),) = (block.commands() for block in blocks_to_run(PAGE, 'bash'))
    name, *args = command.split()
    assert name == 'mmrdn-runtime'
    done = run_runtime(clone, *args)
    assert done.returncode == 0, done.stderr
    assert len(read_mp4(clone / 'out.mp4')[0]) == 60
    check_digits([json.loads(line) for line in (clone / 'out.jsonl').read_text().splitlines()])


@pytest.mark.slow
def test_python_of_the_page(clone, capsys):
    need_runtime()
    (block,) = blocks_to_run(PAGE, 'python')
    exec(textwrap.dedent(block.text), {})
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [str(i) for i in range(60)]
    names = [name for line in lines for name in re.findall(r"'(\w+)'", line)]
    assert set(names) <= set(CLASSES) and len(names) > 100  # of 162 digits


@pytest.mark.slow
@pytest.mark.parametrize('installed', [True, False])
def test_python_in_a_checkout(installed):
    """Python finds mmrdn in the checkout first. It asks for torch only where the runtime is missing too."""
    code = f"""
import sys
sys.modules.update(dict.fromkeys(('torch', 'mmengine', 'mmcv', 'mmdet', 'mmtrack')))
sys.path += [{str(ROOT / 'runtime')!r}] * {installed}
from mmrdn.video import open_source
from mmrdn_runtime import VideoDetector
print(VideoDetector.__name__)
"""
    env = {name: value for name, value in os.environ.items() if name != 'PYTHONPATH'}
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=ROOT, env=env)
    if installed:
        assert done.stdout == 'VideoDetector\n', done.stderr
    else:
        assert done.stderr.splitlines()[-1].startswith('ImportError: mmrdn needs the module "torch"')


@pytest.mark.slow
def test_finds_what_the_checkpoint_finds():
    """Detections of a score of 0.3 or more, each beside the nearest of its class."""
    need_runtime()
    from mmrdn.apis import VideoInferencer
    from mmrdn_runtime import VideoDetector

    frames = [frame.image for frame in open_source(CLIP)]
    expected = list(VideoInferencer(NAME, device='cpu').stream(frames))
    results = list(VideoDetector(MODEL).stream(frames))
    assert len(results) == len(expected) == 60
    overlaps, differences = [], []
    for found, sample in zip(results, expected):
        right = sample.pred_det_instances.numpy()
        for box, score, label in zip(right.bboxes, right.scores, right.labels):
            if score >= 0.3:
                same = np.flatnonzero(found.labels == label)
                ious = [loop_iou(box, found.bboxes[i]) for i in same]
                overlaps.append(max(ious))
                differences.append(abs(found.scores[same[np.argmax(ious)]] - score))
    assert len(overlaps) > 100
    assert min(overlaps) > 0.5 and np.mean(overlaps) > 0.97
    assert max(differences) < 0.1 and np.mean(differences) < 0.01
