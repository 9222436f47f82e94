# Copyright (c) mmrdn contributors. All rights reserved.
"""The model and the clip that come with the repository."""

import hashlib
import json

import pytest
import torch
import yaml

from helpers.demo_clip import CLASSES, CLIP, DEMO, NAME, check_digits
from helpers.tools import ROOT
from mmrdn.apis.config_files import find_model


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
    sizes = {path: path.stat().st_size for path in DEMO.rglob('*') if path.is_file()}
    assert sum(size for path, size in sizes.items() if path.parent == DEMO) < 6e6
    assert sum(sizes.values()) < 9e6


@pytest.mark.slow
def test_finds_the_digits_of_the_clip(run_main, tmp_path):
    """By the name alone."""
    out, words = tmp_path / 'out.jsonl', ('--score-thr', '0.5', '--device', 'cpu')
    status, _, stderr = run_main('demo_video.py', CLIP, NAME, '--out-json', out, *words)
    assert status == 0, stderr
    check_digits([json.loads(line) for line in out.read_text().splitlines()])
