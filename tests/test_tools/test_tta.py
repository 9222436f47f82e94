# Copyright (c) mmrdn contributors. All rights reserved.
import runpy
import sys

import pytest

from helpers.tools import ROOT


def test_one_line_says_why_there_is_no_test_time_augmentation(monkeypatch, capsys):
    """Before anything is read: neither config nor checkpoint exists."""
    monkeypatch.setattr(sys, 'argv', ['test.py', 'none.py', 'none.pth', '--tta'])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / 'tools' / 'test.py'), run_name='__main__')
    error = capsys.readouterr().err
    assert ended.value.code == 1 and error.startswith('error: --tta is not supported: ') and error.count('\n') == 1
