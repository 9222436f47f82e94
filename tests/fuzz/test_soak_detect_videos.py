# Copyright (c) mmrdn contributors. All rights reserved.
import pytest

from fuzz.soak_detect_videos import soak


@pytest.mark.slow
def test_killed_processes_leave_what_an_unbroken_run_does(tmp_path):
    lines = []
    assert soak(tmp_path, clips=6, processes=2, kills=2, frames=4, tell=lines.append) == []
    assert any(line.startswith('kill 1: ') for line in lines)
