# Copyright (c) mmrdn contributors. All rights reserved.
"""The command, as a user runs it."""

import fractions

import torch

from helpers import mega
from helpers.mega import Layout

TOOL = 'model_converters/mega_to_mmrdn.py'


def test_convert(run_main, tmp_path):
    layout = Layout('rdn-basic')
    source = mega.save(tmp_path / 'RDN_base_R_50.pth', mega.state_dict(layout))
    config = mega.write_config(tmp_path / 'tiny.py', layout)
    out = tmp_path / 'new' / 'ours.pth'
    status, stdout, _ = run_main(TOOL, source, out, '--config', config)
    lines = stdout.splitlines()
    assert status == 0
    assert lines[0].startswith('dropped rpn.anchor_generator.cell_anchors')
    assert lines[-3:] == [
        '297 of 298 entries used, 1 dropped',
        'left out: iteration',
        f'{out}: all 350 entries of {config}',
    ]
    assert len(torch.load(out, weights_only=True)['state_dict']) == 350
    assert [path.name for path in out.parent.iterdir()] == ['ours.pth']
    before = out.read_bytes()
    status, _, err = run_main(TOOL, source, out, '--config', config)
    assert status == 1 and err == f'error: {out} exists; choose another name\n'
    assert out.read_bytes() == before


def test_default_config_and_trust(run_main, tmp_path):
    """Real sizes are wanted where no config is given; objects are read."""
    source = mega.save(tmp_path / 'mega.pth', mega.state_dict(Layout('rdn')), scheduler=fractions.Fraction(1, 2))
    out = tmp_path / 'ours.pth'
    status, _, err = run_main(TOOL, source, out, '--trust-checkpoint')
    assert status == 1
    assert err == (f'error: {source}: backbone.body.stem.conv1.weight is (4, 3, 7, 7), expected (64, 3, 7, 7)\n')
    assert not out.exists()
