# Copyright (c) mmrdn contributors. All rights reserved.
"""Short runs of the fuzzer: see fuzz_checkpoints.py for the long one."""

import pytest

from fuzz.fuzz_checkpoints import attack, stumble
from fuzz.payloads import KINDS, best_checkpoint, config_text
from fuzz.targets import Targets, read_base, run_apart


@pytest.fixture(scope='module')
def trained_base(trained):
    return read_base(trained / 'iter_4.pth'), (trained / 'iter_4.pth').read_bytes()


@pytest.fixture
def targets(tiny_config, tmp_path):
    return Targets(tiny_config, tmp_path)


@pytest.mark.parametrize('kind', KINDS, ids=lambda kind: kind.__name__)
def test_hostile_files_have_no_effect(kind, targets, trained_base):
    for target in ('mmengine', 'publish', 'convert_detector', 'convert_mega'):
        assert attack(kind, target, targets, trained_base[0]) is None, target


@pytest.mark.parametrize('kind', [config_text, best_checkpoint], ids=lambda kind: kind.__name__)
def test_hostile_trainings_are_resumed_without_effect(kind, targets, trained_base):
    assert attack(kind, 'resume', targets, trained_base[0]) is None


def test_a_process_of_its_own_is_not_harmed(tiny_config, trained_base, tmp_path):
    assert attack(KINDS[9], 'publish', Targets(tiny_config, tmp_path, run_apart), trained_base[0]) is None


@pytest.mark.parametrize('seed', range(24))
def test_broken_files_end_by_a_line(seed, targets, trained_base):
    assert stumble(seed, 'publish' if seed % 2 else 'convert_detector', targets, *trained_base) is None


@pytest.mark.parametrize('seed', range(100, 102))
def test_broken_trainings_end_by_a_line(seed, targets, trained_base):
    assert stumble(seed, 'resume', targets, *trained_base) is None
