# Copyright (c) mmrdn contributors. All rights reserved.
from fuzz.fuzz_json import fuzz


def test_mutants_are_read_or_refused_in_one_line(tmp_path):
    counts = fuzz(300, 1, tmp_path)
    assert set(counts) == {'read', 'refused'}
    assert counts['read'] > 50 and counts['refused'] > 200  # neither always
