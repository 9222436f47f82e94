# Copyright (c) mmrdn contributors. All rights reserved.
from fuzz.fuzz_annotations import SAMPLES, fuzz
from mmrdn.datasets.converters.readers import READERS


def test_mutants_are_converted_or_refused_in_one_line(tmp_path):
    assert set(SAMPLES) == set(READERS)
    counts = fuzz(300, 1, tmp_path)
    assert set(counts) == {'read', 'refused'}
    assert counts['read'] > 50 and counts['refused'] > 100  # neither always
