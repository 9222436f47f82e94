# Copyright (c) mmrdn contributors. All rights reserved.
"""The model and the clip that come with the repository."""

import hashlib
import json

import pytest
import torch
import yaml

from helpers.exported import need_onnx
from helpers.naive_vid_map import loop_iou
from helpers.tools import ROOT
from mmrdn.apis.config_files import find_model
from mmrdn.datasets.moving_digits import MovingDigitsConfig, load_split_digits, load_split_photos, make_scene
from mmrdn.video import open_source

NAME = 'rdn_faster-rcnn_r18_1xb4-1500_movingdigits'
DEMO = ROOT / 'demo'
CLIP = DEMO / 'moving_digits.mp4'
CLASSES = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine']


def test_file_is_that_of_the_entry():
    """Name, hash, results, number of parameters; read by torch alone."""
    models = yaml.safe_load((ROOT / 'configs' / 'rdn' / 'metafile.yml').read_text())['Models']
    entry = next(model for model in models if model['Name'] == NAME)
    path = ROOT / entry['Weights']
    assert find_model(NAME).weights == str(path)
    assert path.name == f'{NAME}-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}.pth'
    content = torch.load(path, weights_only=True)
    assert content['meta']['dataset_meta']['classes'] == CLASSES
    (result,) = entry['Results']
    assert set(result['Metrics']) == {'mAP50', 'mAP50_slow', 'mAP50_medium', 'mAP50_fast'}
    for name, value in result['Metrics'].items():
        assert value == round(100 * content['meta']['metrics'][f'vid/{name}'], 2)
    state = content['state_dict']
    parameters = [
        state[key] for key in state if not key.endswith(('running_mean', 'running_var', 'num_batches_tracked'))
    ]
    assert sum(value.numel() for value in parameters) == entry['Metadata']['Parameters']
    assert {value.dtype for value in parameters} == {torch.float16}


def test_small_enough_to_carry():
    assert sum(path.stat().st_size for path in DEMO.iterdir()) < 6e6


def check_digits(lines):
    """Compare with the generator. No training saw these digits and photographs."""
    config = MovingDigitsConfig(seed=2, val_frames=60)
    scene = make_scene(config, 'val', 0, load_split_digits('val'), load_split_photos('val'))
    assert len(lines) == 60
    num_digits, num_found, num_wrong = 0, 0, 0
    for t, line in enumerate(lines):
        left = [(CLASSES[digit['label']], digit['bbox']) for digit in scene.render(t)[1]]
        num_digits += len(left)
        for found in line['detections']:  # by descending score
            hits = [digit for digit in left if digit[0] == found['class'] and loop_iou(found['bbox'], digit[1]) >= 0.5]
            num_found += bool(hits)
            num_wrong += not hits
            if hits:
                left.remove(hits[0])
    assert num_digits == 162 and num_found > 100 and num_wrong < 10


@pytest.mark.slow
def test_finds_the_digits_of_the_clip(run_main, tmp_path):
    """By the name alone."""
    out, words = tmp_path / 'out.jsonl', ('--score-thr', '0.5', '--device', 'cpu')
    status, _, stderr = run_main('demo_video.py', CLIP, NAME, '--out-json', out, *words)
    assert status == 0, stderr
    check_digits([json.loads(line) for line in out.read_text().splitlines()])


@pytest.mark.slow
def test_the_runtime_finds_them_too(tmp_path):
    need_onnx()
    from mmrdn.export.onnx_directory import export_onnx
    from mmrdn_runtime.video_detector import VideoDetector

    detector = VideoDetector(export_onnx(NAME, out=tmp_path / 'model', fp16=True))
    lines = []
    for found in detector.stream(frame.image for frame in open_source(CLIP)):
        rows = sorted(zip(found.scores, found.bboxes, found.labels), key=lambda row: -row[0])
        digits = [{'bbox': box, 'class': CLASSES[label]} for score, box, label in rows if score >= 0.5]
        lines.append(dict(detections=digits))
    check_digits(lines)
