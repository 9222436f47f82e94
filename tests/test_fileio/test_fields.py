# Copyright (c) mmrdn contributors. All rights reserved.
import pytest

from mmrdn.fileio.fields import ANSWER, BOX, FLAG, ID, INTEGER, NUMBER, OBJECT, SIZE, TEXT, check_entries, shown

NAN = float('nan')


@pytest.mark.parametrize(
    'kind, right, wrong',
    [
        (ID, [0, -3, 2**63 - 1, 1.0, '', 'a'], [True, None, [1], {}, 10**400, 2**63, 1e300, NAN, 'a\0', '\ud800']),
        (INTEGER, [0, -1, 2**62], [1.0, '1', False, 2**64, None]),
        (SIZE, [1, 4000], [0, -1, 1.5, True]),
        (NUMBER, [0, 1.5, -1e300, 10**300], [10**400, NAN, float('inf'), '1', True, [1]]),
        (TEXT, ['', 'caf\u00e9', '\U0001f600'], [1, None, b'a', '\udfff', '\0']),
        (BOX, [[0, 1.5, 2, 3], [-1e9, 0, 1e9, 0]], [[1, 2, 3], [1, 2, 3, NAN], [10**400] * 4, 'abcd', {}, [1e10] * 4]),
        (OBJECT, [{}], [[], 1]),
        (FLAG, [True, False, 0, 1], [None, 2, 'false', 'no', []]),
        (ANSWER, [True, False, 0, 1], [None, 2, 'false', 'no', []]),
    ],
)
def test_kinds(kind, right, wrong):
    assert all(kind.holds(value) for value in right)
    assert not any(kind.holds(value) for value in wrong)


@pytest.mark.parametrize(
    'data, message',
    [
        ([], "a.json must have the field 'rows'"),
        (dict(rows={}), "a.json: 'rows' must be a list, got dict"),
        (dict(rows=[dict(n=1), 3]), 'a.json: rows[1] must be an object, got 3'),
        (dict(rows=[dict(n=None)]), "a.json: rows[0] must have the field 'n'"),
        (dict(rows=[dict(n=1, said=None)]), "a.json: rows[0]: 'said' must be true or false, got null"),
        (dict(rows=[dict(n=10**400)]), "a.json: rows[0]: 'n' must be a finite number, got 1000000000"),
    ],
)
def test_entries(data, message):
    kinds = dict(n=NUMBER, other=SIZE, said=ANSWER)
    assert check_entries(dict(rows=[dict(n=1, other=None)]), 'rows', kinds, ['n'], 'a.json')
    with pytest.raises(ValueError) as error:
        check_entries(data, 'rows', kinds, ['n'], 'a.json')
    assert str(error.value).startswith(message) and len(str(error.value)) < 150


def test_values_are_shown_short_and_harmless():
    deep: list = []
    for _ in range(5000):
        deep = [deep]
    assert len(shown(deep)) < 60
    assert len(shown('x' * 5000)) < 210
    assert shown('\x1b[2J') == '\\x1b[2J'
    assert shown('caf\u00e9 \ud800') == 'caf\u00e9 \\ud800'
    assert shown(1.5) == '1.5'
