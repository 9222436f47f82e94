# Copyright (c) mmrdn contributors. All rights reserved.
import functools
import json
import os

import numpy as np
import pytest

from mmrdn.benchmarks.large_coco_vid import write_large_coco_vid
from mmrdn.benchmarks.loading import benchmark_loading, in_own_process, load_for_training
from mmrdn.own_videos.checking import CheckedFiles


def hold(num_bytes):
    """Write to memory, and give it back."""
    return dict(total=int(np.ones(num_bytes, np.uint8).sum(dtype=np.int64)))


def leave(path):
    os._exit(7)


def count(path):
    with open(path, encoding='utf-8') as file:
        return {part: len(entries) for part, entries in json.load(file).items()}


@pytest.mark.slow
def test_the_peak_is_that_of_the_task():
    small, large = (in_own_process(functools.partial(hold, size * 2**20)) for size in (1, 301))
    assert 295 < (large['peak_bytes'] - small['peak_bytes']) / 2**20 < 330
    assert large['total'] == 301 * 2**20 and large['seconds'] <= large['cpu_seconds'] + 5


@pytest.mark.slow
def test_results_and_a_process_that_dies(tmp_path):
    found = benchmark_loading(tmp_path, dict(count=count), num_frames=300, num_boxes=450)
    assert {part: found['count'][part] for part in ('videos', 'images', 'annotations', 'categories')} == dict(
        videos=2, images=300, annotations=450, categories=30
    )
    assert json.loads((tmp_path / 'loading.json').read_text()) == found
    assert os.listdir(tmp_path) == ['loading.json']
    with pytest.raises(FileExistsError):
        benchmark_loading(tmp_path, dict(count=count), 1, 1)
    with pytest.raises(ChildProcessError, match='exit code 7$'):
        benchmark_loading(tmp_path, dict(leave=leave), 1, 1, overwrite=True)
    assert os.listdir(tmp_path) == ['loading.json']
    with pytest.raises(ValueError, match='--num-frames and --num-boxes must be 1 or more, got 0 and 1'):
        benchmark_loading(tmp_path / 'x', {}, 0, 1)


@pytest.mark.slow
def test_the_file_is_clean_and_a_training_takes_it(tmp_path):
    """Frames 9, 29, ... of each video are key frames; every frame has one box or two."""
    path = str(tmp_path / 'large.json')
    write_large_coco_vid(path, 600, 900)
    (tables,) = CheckedFiles([path]).tables
    assert {kind: number for kind, number in tables.findings.counts.items() if kind != 'no-boxes'} == {}
    assert np.bincount(tables.boxes.image).tolist() == [2, 1] * 300
    found = load_for_training(path, num_workers=1)
    assert found['num_samples'] == 15 + 15 + 1
    assert found['build_seconds'] > 0 and found['shared_bytes'] > 2**25
