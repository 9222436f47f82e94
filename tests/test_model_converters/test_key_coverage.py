# Copyright (c) mmrdn contributors. All rights reserved.
import pytest

from mmrdn.model_converters import KeyCoverage


def test_coverage():
    coverage = KeyCoverage(['a', 'b', 'c'])
    coverage.use('a', 'x.a')
    coverage.drop('c', 'too old')
    assert [coverage.has(key) for key in 'abc'] == [True, False, True]
    coverage.use('b', 'x.b', 'half of it')
    assert coverage.lines() == ['dropped c: too old', 'changed b: half of it', '2 of 3 entries used, 1 dropped']
    assert coverage.lines(with_used=True) == [
        'used a as x.a',
        'used b as x.b (half of it)',
        'dropped c: too old',
        '2 of 3 entries used, 1 dropped',
    ]
    with pytest.raises(ValueError, match='^a is accounted for already$'):
        coverage.drop('a', 'twice')
    with pytest.raises(ValueError, match='^the checkpoint has no entry d$'):
        coverage.use('d', 'x.d')
