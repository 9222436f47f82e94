# Copyright (c) mmrdn contributors. All rights reserved.
"""``tools/test.py`` with box linking with relations, from model to file."""

import functools
import json

import numpy as np
import pytest

from helpers.tools import call_tool, free_port, run_tool, write_config

BLR = """
model.update(recorders=[dict(type='NextFrameRelations', score_thr=0.0)])
"""
LINKED = """
test_evaluator = dict(
    ann_file=ann_file, linker=dict(type='BoxLinkingWithRelations'))
"""


@pytest.fixture(scope='module')
def unlinked(digits, trained, tmp_path_factory):
    """The predictions of a run that records relations."""
    folder = tmp_path_factory.mktemp('unlinked')
    config = write_config(folder / 'c.py', digits, BLR)
    call_tool(
        'test.py',
        config,
        trained / 'iter_8.pth',
        '--work-dir',
        folder,
        '--cfg-options',
        f'test_evaluator.outfile_prefix={folder}/run',
    )
    return folder / 'run.predictions.json'


@pytest.mark.parametrize('processes', [1, 2])
def test_linking_in_the_test_equals_that_of_files(processes, unlinked, digits, trained, tmp_path):
    """Relations go from the model through NMS into tracks, on any rank."""
    run, launcher = call_tool, ()
    if processes == 2:
        launcher = ('--launcher', 'pytorch')
        through = ('-m', 'torch.distributed.launch', '--nproc_per_node=2', f'--master_port={free_port()}')
        run = functools.partial(run_tool, through=through)
    config = write_config(tmp_path / 'c.py', digits, BLR + LINKED)
    run(
        'test.py',
        config,
        trained / 'iter_8.pth',
        '--work-dir',
        tmp_path,
        *launcher,
        '--cfg-options',
        f'test_evaluator.outfile_prefix={tmp_path}/run',
    )
    out = tmp_path / 'offline.json'
    call_tool('analysis_tools/link_predictions.py', unlinked, '--out', out, '--linker', 'BoxLinkingWithRelations')
    online = json.loads((tmp_path / 'run.predictions.json').read_text())
    offline = json.loads(out.read_text())
    assert len(online['annotations']) == len(offline['annotations']) > 100
    for a, b in zip(online['annotations'], offline['annotations']):
        assert a['score'] == pytest.approx(b['score'], abs=1e-6)
        assert a.get('instance_id') == b.get('instance_id')
        assert a['unlinked_score'] == b['unlinked_score']


def test_relations_of_the_model_are_in_the_file(unlinked):
    """Weights of one pair are positive and those of a box sum to 1 at most."""
    content = json.loads(unlinked.read_text())
    frame_of = {i['id']: (i['video_id'], i['frame_id']) for i in content['images']}
    by_id = {a['id']: a for a in content['annotations']}
    pairs = 0
    for ann in content['annotations']:
        for other, weight in ann.get('relations', []):
            video, frame = frame_of[ann['image_id']]
            assert frame_of[by_id[other]['image_id']] == (video, frame + 1)
            assert by_id[other]['category_id'] == ann['category_id']
            assert 0 < weight < 1
            pairs += 1
    assert pairs > 100
    weights = [w for a in content['annotations'] for _, w in a.get('relations', [])]
    assert np.std(weights) > 0
