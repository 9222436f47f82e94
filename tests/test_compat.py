# Copyright (c) mmrdn contributors. All rights reserved.
import copy
import importlib
import os
import subprocess
import sys
import warnings
from pathlib import Path

import mmcv
import mmdet
import mmengine
import mmtrack.models
import pytest
from mmengine.config import Config
from mmtrack.datasets import BaseVideoDataset

from mmrdn import compat


@pytest.mark.slow
def test_versions_are_put_back():
    """mmtrack saw old versions when it was imported, nobody else does."""
    code = 'import mmrdn, mmcv, mmdet.datasets, mmcls, mmtrack.models; print(mmcv.__version__, mmdet.__version__)'
    out = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == [mmcv.__version__, mmdet.__version__]
    assert mmcv.__version__ != '2.0.0rc4'
    assert out.stderr == ''  # nothing that only our dependencies understand


@pytest.mark.slow
def test_warnings_are_seen_without_a_runner():
    """On stderr; what MMEngine says of itself is not."""
    code = 'import mmrdn; from mmengine.logging import MMLogger as L; l = L.get_current_instance(); '
    code += 'l.warning("look"), l.info("nothing")'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout == '' and done.stderr.count('\n') == 1
    assert 'WARNING - look' in done.stderr


def test_apply_again_changes_nothing():
    before = BaseVideoDataset.__dict__['_load_metainfo']
    compat.apply()
    assert BaseVideoDataset.__dict__['_load_metainfo'] is before


def test_a_config_is_formatted_once(monkeypatch):
    """Until it changes, by whatever way."""
    formatted = []

    def record(text, **kwargs):
        formatted.append(text)
        return text, None

    monkeypatch.setattr('yapf.yapflib.yapf_api.FormatCode', record)
    monkeypatch.setattr('mmengine.config.config.FormatCode', record, raising=False)  # imported there by some versions

    def assert_holds(cfg, times, **expected):
        found = {}
        exec(cfg.pretty_text, found)
        assert {key: found[key] for key in expected} == expected and len(formatted) == times

    cfg = Config(dict(model=dict(type='A', depth=1), names=['b', 2]))
    for same in (cfg, cfg, copy.deepcopy(cfg)):
        assert_holds(same, 1, model=dict(type='A', depth=1), names=['b', 2])
    cfg.model.depth = '1'
    assert_holds(cfg, 2, model=dict(type='A', depth='1'), names=['b', 2])
    added = 3.5 if mmengine.__version__ == '0.10.7' else int  # a class, which 0.10.7 does not write as Python
    cfg.names.append(added)
    assert_holds(cfg, 3, model=dict(type='A', depth='1'), names=['b', 2, added])
    assert cfg.dump() == cfg.pretty_text == formatted[-1]
    assert Config(cfg.to_dict(), format_python_code=False).pretty_text == formatted[-1] and len(formatted) == 3


def test_removed_class_says_so():
    layers = importlib.import_module('mmdet.models.layers')
    if hasattr(layers, 'Transformer'):
        pytest.skip('this mmdet still has Transformer')
    stark = importlib.import_module('mmtrack.models.track_heads.stark_head')
    with pytest.raises(RuntimeError, match='STARK needs mmdet 3.0.0rc5'):
        stark.Transformer()
    assert mmtrack.models.SELSA.__name__ == 'SELSA'


@pytest.mark.parametrize('key', ['classes', 'CLASSES'])
def test_class_names_are_mirrored(key):
    loaded = BaseVideoDataset._load_metainfo({key: ('a', 'b')})
    assert loaded['classes'] == loaded['CLASSES'] == ('a', 'b')


def test_class_names_of_the_class_are_mirrored():
    from mmtrack.datasets import ImagenetVIDDataset

    loaded = ImagenetVIDDataset._load_metainfo(None)
    assert loaded['classes'][:2] == ('airplane', 'antelope')
    assert loaded['classes'] == ImagenetVIDDataset.METAINFO['CLASSES']
    given = ImagenetVIDDataset._load_metainfo(dict(classes=('x',)))
    assert given['CLASSES'] == given['classes'] == ('x',)


def test_untested_versions_are_named(monkeypatch):
    monkeypatch.setitem(compat.TESTED_VERSIONS, 'mmcv', ('1.0', '1.1'))
    with pytest.warns(UserWarning, match=f'mmcv 1.0 to 1.1, not with mmcv {mmcv.__version__}'):
        compat.check_versions()


def test_tested_versions_are_silent():
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        compat.check_versions()


@pytest.mark.slow
def test_an_extension_that_cannot_be_loaded_is_named(tmp_path):
    """As where mmcv was compiled for another torch."""
    (tmp_path / 'mmcv').mkdir()
    for path in Path(mmcv.__file__).parent.iterdir():
        if not path.name.startswith('_ext'):
            (tmp_path / 'mmcv' / path.name).symlink_to(path)
    (tmp_path / 'mmcv' / '_ext.so').write_bytes(b'junk')
    env = {key: value for key, value in os.environ.items() if key != 'MMRDN_OPS'}
    env['PYTHONPATH'] = os.pathsep.join([str(tmp_path), env.get('PYTHONPATH', '')])
    command = [sys.executable, '-c', 'import mmrdn, mmcv.ops']
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    last = done.stderr.splitlines()[-1]
    assert last.startswith('ImportError: the compiled operators of mmcv cannot be loaded (')
    assert last.endswith('): compile mmcv for this torch, or set MMRDN_OPS=own')
    done = subprocess.run(command, env=dict(env, MMRDN_OPS='own'), capture_output=True)
    assert done.returncode == 0
