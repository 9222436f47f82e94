# Copyright (c) mmrdn contributors. All rights reserved.
import pytest

pytest.importorskip('flask', reason='needs the extra "web"')
pytest.importorskip('psutil')

from fuzz.soak_web_page import soak  # noqa: E402


@pytest.mark.filterwarnings('ignore:.*truncated or damaged')
def test_page_is_as_before_after_many_uploads(tmp_path, monkeypatch):
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
    lines = []
    assert soak(40, 8, tmp_path, lines.append) == []
    assert 'good done' in lines[-1] and 'large 413' in lines[-1]
