# Copyright (c) mmrdn contributors. All rights reserved.
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmrdn.models.memory.sliding_rows import SlidingRows


@given(st.integers(1, 9), st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), max_size=40))
def test_holds_what_a_list_would_hold(capacity, steps):
    """Any order of appending and dropping, against a plain list."""
    rows, expected, count = SlidingRows(capacity), [], 0
    for num, drop in steps:
        num = min(num, capacity)
        drop = max(min(drop, len(expected)), len(expected) + num - capacity)
        rows.drop(drop)
        del expected[:drop]
        new = torch.arange(count, count + num)
        rows.append(new, new[:, None] * 2.0)
        expected += new.tolist()
        count += num
        assert len(rows) == len(expected)
        first, second = rows.view()
        assert first.tolist() == expected
        assert second.flatten().tolist() == [2.0 * i for i in expected]
    assert rows.nbytes() <= (capacity + max(1, capacity // 4)) * 12


def test_refuses_more_than_its_capacity():
    rows = SlidingRows(3)
    rows.append(torch.zeros(2))
    with pytest.raises(ValueError, match='2 rows and 2 more .* capacity of 3'):
        rows.append(torch.zeros(2))


def test_rows_may_come_from_inference_mode_and_not():
    rows = SlidingRows(2)
    with torch.inference_mode():
        rows.append(torch.ones(1))
    rows.drop(1)
    rows.append(torch.full((2,), 3.0))
    assert rows.view()[0].tolist() == [3.0, 3.0]
