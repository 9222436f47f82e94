# Copyright (c) mmrdn contributors. All rights reserved.
import shutil
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import HOOKS, DefaultScope

import mmrdn
from mmrdn import compat
from mmrdn.apis import config_files, find_model, load_config
from mmrdn.engine import IterSeedHook
from mmrdn.utils.config_types import type_name

ROOT = Path(mmrdn.__file__).resolve().parents[1]
STEM = 'rdn_faster-rcnn_r18_1xb4-1500_movingdigits'
CONFIG = ROOT / 'configs' / 'rdn' / f'{STEM}.py'


@pytest.mark.parametrize('name', [STEM, f'{STEM}.py', f'rdn/{STEM}', f'rdn/{STEM}.py', f'configs/rdn/{STEM}.py'])
def test_names_of_a_config(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # away from the checkout
    (weights,) = (ROOT / 'demo').glob(f'{STEM}-*.pth')
    assert find_model(name) == (str(CONFIG), str(weights))
    other = 'rdn-basic_faster-rcnn_r18_1xb4-1500_movingdigits'
    assert find_model(name.replace(STEM, other)) == (str(CONFIG.with_name(f'{other}.py')), None)


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
    monkeypatch.setattr(compat, '__file__', str(package / 'compat.py'))
    expected = (str(mim / f'{STEM}.py'), 'https://localhost/rdn.pth')
    assert find_model('rdn_tiny') == expected
    assert find_model(f'rdn/{STEM}') == expected
    assert find_model(STEM) == expected


def test_tools():
    assert config_files.find_tool('train.py') == str(ROOT / 'tools' / 'train.py')
    with pytest.raises(FileNotFoundError) as error:
        config_files.find_tool('fly.py')
    assert str(error.value) == 'mmrdn is installed without tools/fly.py'


@pytest.mark.parametrize('name', [STEM, f'rdn/{STEM}.py'])
def test_commands_take_names(name, tmp_path, monkeypatch):
    """As ``train.py`` does; directory and experiment are named after the config."""
    monkeypatch.chdir(tmp_path)
    cfg = load_config(name)
    assert cfg.work_dir == f'work_dirs/{STEM}' and cfg.experiment_name == STEM
    assert cfg.model == Config.fromfile(CONFIG).model


@pytest.mark.parametrize('installed', [False, True])
def test_a_base_by_the_name_of_the_package(installed, tmp_path, monkeypatch):
    """From outside of the checkout; a wheel has its configs in .mim."""
    expected = Config.fromfile(CONFIG)
    if installed:
        package = tmp_path / 'site' / 'mmrdn'
        shutil.copytree(ROOT / 'configs', package / '.mim' / 'configs')
        (package / '.mim' / 'model-index.yml').write_text('Import: []')
        monkeypatch.setattr(compat, '__file__', str(package / 'compat.py'))
    monkeypatch.chdir(tmp_path)
    mine = tmp_path / 'mine.py'
    mine.write_text(
        f"_base_ = 'mmrdn::rdn/{STEM}.py'\nmodel = dict(temporal_range=3)\ncustom_hooks = _base_.custom_hooks\n"
    )
    cfg = load_config('mine.py')
    assert cfg.model.pop('temporal_range') == 3 and expected.model.pop('temporal_range') != 3
    assert cfg.model.pop('_scope_') == 'mmrdn'  # MMEngine's, as of mmdet:: and others
    assert cfg.model == expected.model and cfg.optim_wrapper.optimizer == expected.optim_wrapper.optimizer
    hooks = [hook.type for hook in cfg.custom_hooks]
    assert hooks == [hook.type for hook in expected.custom_hooks]
    with DefaultScope.overwrite_default_scope('mmengine'):
        assert type(HOOKS.build(cfg.custom_hooks[0])) is IterSeedHook


def test_no_such_base(tmp_path):
    mine = tmp_path / 'mine.py'
    mine.write_text("_base_ = 'mmrdn::rdn/nothing.py'\n")
    with pytest.raises(ValueError) as error:
        load_config(str(mine))
    assert str(error.value) == (
        f'config {mine}: {mine}: there is no mmrdn::rdn/nothing.py; bases of mmrdn are named like mmrdn::rdn/NAME.py'
    )


def test_types_that_are_classes():
    """As in configs that import what they name."""
    assert type_name(dict(type='mmdet.Resize')) == type_name(dict(type='Resize')) == 'Resize'
    assert type_name(dict(type=IterSeedHook)) == 'IterSeedHook'
    assert type_name({}, 'x') == 'x'


@pytest.mark.parametrize('value', [['{type:PolyLR', 'power:0.9}'], 'PolyLR'])
def test_options_that_lost_their_quotes(value):
    with pytest.raises(ValueError, match=r'--cfg-options param_scheduler.0=.*PolyLR.*: the config has a dict there'):
        load_config('single-frame_faster-rcnn_r18_1xb4-1500_movingdigits', {'param_scheduler.0': value})
