# Copyright (c) mmrdn contributors. All rights reserved.
import shutil
from pathlib import Path

import pytest

import mmrdn
from mmrdn.apis import config_files, find_model

ROOT = Path(mmrdn.__file__).resolve().parents[1]
STEM = 'rdn_faster-rcnn_r18_1xb4-1500_movingdigits'
CONFIG = ROOT / 'configs' / 'rdn' / f'{STEM}.py'


@pytest.mark.parametrize('name', [STEM, f'{STEM}.py', f'rdn/{STEM}', f'rdn/{STEM}.py', f'configs/rdn/{STEM}.py'])
def test_names_of_a_config(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # away from the checkout
    assert find_model(name) == (str(CONFIG), None)


def test_a_path_goes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / STEM).write_text('mine')
    assert find_model(STEM) == (STEM, None)


@pytest.mark.parametrize('name, hint', [(STEM[:-1], f', did you mean {STEM}?'), ('mine.py', '')])
def test_no_such_config(name, hint):
    with pytest.raises(FileNotFoundError) as error:
        find_model(name)
    assert str(error.value) == (f'config {name} does not exist, and no config of the package has that name{hint}')


def test_wheel_and_published_weights(tmp_path, monkeypatch):
    """Configs lie in .mim there; the entry has another name and weights."""
    package = tmp_path / 'site' / 'mmrdn'
    mim = package / '.mim' / 'configs' / 'rdn'
    mim.mkdir(parents=True)
    (package / '.mim' / 'model-index.yml').write_text('Import: []')
    shutil.copy(CONFIG, mim)
    (mim / 'metafile.yml').write_text(
        f'Models:\n  - Name: rdn_tiny\n    Config: configs/rdn/{STEM}.py\n    Weights: https://localhost/rdn.pth\n'
    )
    monkeypatch.setattr(config_files.mmrdn, '__file__', str(package / '__init__.py'))
    expected = (str(mim / f'{STEM}.py'), 'https://localhost/rdn.pth')
    assert find_model('rdn_tiny') == expected
    assert find_model(f'rdn/{STEM}') == expected
    assert find_model(STEM) == expected


def test_tools():
    assert config_files.find_tool('train.py') == str(ROOT / 'tools' / 'train.py')
    with pytest.raises(FileNotFoundError) as error:
        config_files.find_tool('fly.py')
    assert str(error.value) == 'mmrdn is installed without tools/fly.py'
