# Copyright (c) mmrdn contributors. All rights reserved.
import json

from mmrdn.fileio.json_files import write_json


def test_nan_becomes_null_and_nothing_partial_stays(tmp_path):
    path = tmp_path / 'summary.json'
    nan = float('nan')
    write_json(dict(a=nan, b=dict(c=1.5), d=[nan, 2]), path)
    content = json.loads(path.read_text())
    assert content == dict(a=None, b=dict(c=1.5), d=[None, 2])
    assert len(list(tmp_path.iterdir())) == 1
