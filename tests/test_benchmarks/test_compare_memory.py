# Copyright (c) mmrdn contributors. All rights reserved.
import json

from mmrdn.benchmarks import detections


def test_a_video_has_the_same_detections(run_main, trained, tiny_config, digits, tmp_path):
    status, out, err = run_main(
        'analysis_tools/compare_memory.py', tiny_config, trained / 'iter_8.pth', '--work-dir', tmp_path
    )
    assert status == 0, err
    found = {name: float(value) for name, value in (line.split(': ') for line in out.strip().splitlines()[-4:])}
    ann = json.loads((digits / 'annotations' / 'moving_digits_val.json').read_text())
    first = ann['videos'][0]['id']
    assert found['frames'] == sum(i['video_id'] == first for i in ann['images'])
    assert found['detections'] > 0
    assert found['box_difference'] < 1e-3  # pixels
    assert found['score_difference'] < 1e-4


def test_a_difference_is_found(run_main, trained, tiny_config, tmp_path, monkeypatch):
    """Features that are wrong by one percent move the scores."""
    right = detections.baseline_of

    def wrong(neck):
        baseline = right(neck)
        baseline.register_forward_hook(lambda module, args, out: out * 1.01)
        return baseline

    monkeypatch.setattr(detections, 'baseline_of', wrong)
    status, out, err = run_main(
        'analysis_tools/compare_memory.py', tiny_config, trained / 'iter_8.pth', '--work-dir', tmp_path
    )
    if status:  # so wrong that other objects were found
        assert 'detections with the memory' in err
    else:
        assert float(out.strip().rsplit(' ', 1)[1]) > 1e-5
