# Copyright (c) mmrdn contributors. All rights reserved.
"""``tools/model_converters/make_metafile.py`` in a small model zoo."""

import json
import shutil

import pytest
import yaml
from modelindex.load_model_index import load as load_model_index

from helpers.tools import write_config
from mmrdn import compat
from mmrdn.apis import find_model
from mmrdn.apis.config_files import load_config
from mmrdn.model_zoo import publish_model
from mmrdn.model_zoo.model_complexity import count_complexity

NAME = 'rdn-tiny_2xb2-8_movingdigits'
METAFILE = """\
# By hand.
Collections:
  - Name: Tiny  # for tests
    README: configs/tiny/README.md

Models:
  # The first.
  - Name: other
    In Collection: Tiny
    Config: configs/tiny/other.py
    Metadata:
      Batch Size: 1  # image
"""
KNOWN = f"""
  - Name: {NAME}
    In Collection: Tiny
    Config: configs/tiny/{NAME}.py
    Metadata:
      Training Data: Moving Digits  # of seed 0
    # What somebody measured:
    Results:
      - Task: Video Object Detection
        Dataset: Other Digits
        Metrics:
          mAP50: 1.5
      - Task: Video Object Detection
        Dataset: Moving Digits
        Metrics:
          mAP50: 12.5
          mAP50_slow: 20.0
    Weights: http://localhost/old-0a0b0c0d.pth
# The end.
"""
METRICS = {'vid/mAP50': 0.1234, 'vid/mAP50_fast': 0.0071, 'time': 0.1}
SHOWN = dict(mAP50=12.34, mAP50_fast=0.71)


@pytest.fixture
def zoo(digits, tmp_path, monkeypatch):
    """A directory with one config and its metafile."""
    directory = tmp_path / 'zoo' / 'configs' / 'tiny'
    directory.mkdir(parents=True)
    write_config(directory / f'{NAME}.py', digits)
    (directory / 'README.md').write_text('# Tiny\n')
    (directory / 'metafile.yml').write_text(METAFILE)
    (directory.parents[1] / 'model-index.yml').write_text('Import:\n  - configs/tiny/metafile.yml\n')
    (tmp_path / 'test.json').write_text(json.dumps(METRICS))
    return directory


@pytest.fixture(scope='module')
def cost(tiny_config):
    return count_complexity(load_config(str(tiny_config)), (160, 128))


@pytest.fixture
def make(run_main, zoo):

    def call(*args):
        return run_main('model_converters/make_metafile.py', zoo / f'{NAME}.py', '--frame-size', 160, 128, *args)

    return call


def metadata(cost):
    return {
        'Iterations': 8,
        'Batch Size': 4,  # 2 GPUs, as the name says
        'Parameters': cost.parameters,
        'FLOPs': cost.flops,
        'FLOPs Input': '160x128 pixels, pool of 5 frames',
    }


def test_prints_what_it_knows(make, cost, zoo):
    status, out, err = make()
    assert (status, err) == (0, '')
    assert yaml.safe_load(out) == [dict(Name=NAME, Config=f'configs/tiny/{NAME}.py', Metadata=metadata(cost))]
    assert (zoo / 'metafile.yml').read_text() == METAFILE


def test_a_new_entry(make, cost, zoo, tmp_path):
    """Behind the others; the schema of model-index has it."""
    status, _, err = make('--out', zoo / 'metafile.yml', '--metrics', tmp_path / 'test.json')
    assert (status, err) == (0, '')
    text = (zoo / 'metafile.yml').read_text()
    assert text.startswith(METAFILE)
    assert yaml.safe_load(text)['Models'][1] == {
        'Name': NAME,
        'In Collection': 'Tiny',
        'Config': f'configs/tiny/{NAME}.py',
        'Metadata': metadata(cost),
        'Results': [dict(Task='Video Object Detection', Dataset='Moving Digits', Metrics=SHOWN)],
    }
    index = load_model_index(str(zoo.parents[1] / 'model-index.yml'))
    assert not index.check_errors
    model = index.models[1]
    assert model.name == NAME and not model.check_errors
    assert model.metadata.data['FLOPs'] == cost.flops
    assert model.results[0].metrics == SHOWN


def test_an_entry_that_is_there(make, cost, zoo, tmp_path):
    (zoo / 'metafile.yml').write_text(METAFILE + KNOWN)
    status, _, err = make('--out', zoo / 'metafile.yml')
    assert (status, err) == (0, '')
    added = ''.join(f'      {key}: {value}\n' for key, value in metadata(cost).items())
    line = '      Training Data: Moving Digits  # of seed 0\n'
    assert (zoo / 'metafile.yml').read_text() == METAFILE + KNOWN.replace(line, line + added)


def test_measured_results_are_not_lost(make, zoo, tmp_path):
    text = METAFILE + KNOWN
    (zoo / 'metafile.yml').write_text(text)
    args = ('--out', zoo / 'metafile.yml', '--metrics', tmp_path / 'test.json')
    status, out, err = make(*args)
    assert (status, out, err) == (
        1,
        '',
        f'error: {zoo}/metafile.yml: {NAME} has results on Moving '
        "Digits, {'mAP50': 12.5, 'mAP50_slow': 20.0}; say --overwrite to "
        f'replace them by {SHOWN}\n',
    )
    assert (zoo / 'metafile.yml').read_text() == text

    assert make(*args, '--overwrite')[0] == 0
    text = (zoo / 'metafile.yml').read_text()
    assert text.startswith(METAFILE) and text.endswith('    Weights: http://localhost/old-0a0b0c0d.pth\n# The end.\n')
    assert '    # What somebody measured:\n' in text
    results = yaml.safe_load(text)['Models'][1]['Results']
    assert [r['Metrics'] for r in results] == [dict(mAP50=1.5), SHOWN]

    # The same again is no loss; another data set goes behind them.
    assert make(*args)[0] == 0
    assert (zoo / 'metafile.yml').read_text() == text
    assert make(*args, '--dataset', 'Third')[0] == 0
    results = yaml.safe_load((zoo / 'metafile.yml').read_text())['Models'][1]['Results']
    assert [r['Dataset'] for r in results] == ['Other Digits', 'Moving Digits', 'Third']


def test_checkpoint_and_weights(make, zoo, trained, tmp_path, monkeypatch):
    """Metrics are those in the checkpoint; a path is seen from the root."""
    published = publish_model(
        trained / 'iter_8.pth', zoo.parents[1] / 'weights' / 'tiny', metrics=tmp_path / 'test.json'
    ).path
    weights = f'weights/{published.name}'
    status, out, err = make('--checkpoint', published, '--weights', weights, '--out', zoo / 'metafile.yml')
    assert (status, err) == (0, '')
    (entry,) = yaml.safe_load(out)
    assert entry['Weights'] == weights
    assert entry['Results'][0]['Metrics'] == SHOWN
    package = zoo.parents[1] / 'mmrdn'
    monkeypatch.setattr(compat, '__file__', str(package / 'compat.py'))
    assert find_model(NAME).weights == str(published)

    status, _, err = make(
        '--checkpoint', published, '--weights', f'http://localhost/new/{published.name}', '--out', zoo / 'metafile.yml'
    )
    assert (status, err) == (
        1,
        f'error: {zoo}/metafile.yml: {NAME} has weights, {weights}; say --overwrite to replace them\n',
    )


def test_what_does_not_fit(make, zoo, trained, digits, tmp_path):
    published = publish_model(trained / 'iter_8.pth', tmp_path / 'tiny').path
    other = tmp_path / 'other-0a0b0c0d.pth'
    shutil.copy(published, other)
    copy = tmp_path / 'copy.pth'
    shutil.copy(published, copy)
    (tmp_path / 'bad.json').write_text('{"vid/mAP50_slow": 0.5}')
    digest = published.stem[-8:]
    for args, message in (
        (['--checkpoint', copy], f'{copy} was not published by tools/model_converters/publish_model.py'),
        (
            ['--checkpoint', trained / 'iter_8.pth'],
            f'{trained}/iter_8.pth was not published by tools/model_converters/publish_model.py',
        ),
        (
            ['--checkpoint', other],
            f'checkpoint {other} is damaged or was changed: its SHA-256 starts '
            f'with {digest}, expected 0a0b0c0d as in its name (if that is no '
            'hash, rename the file)',
        ),
        (
            ['--checkpoint', published, '--weights', 'http://localhost/a.pth'],
            f'the weights http://localhost/a.pth must be named {published.name}, as the checkpoint is',
        ),
        (['--weights', 'weights/a.pth'], f'weights weights/a.pth are neither a URL nor a file below {zoo.parents[1]}'),
        (['--metrics', tmp_path / 'bad.json'], 'the metrics lack vid/mAP50, the mean over classes of VIDMetric'),
        (['--out', zoo / 'new.yml'], f'{zoo}/new.yml is new: say --collection'),
        (
            ['--out', zoo / 'metafile.yml', '--collection', 'Huge'],
            f"{zoo}/metafile.yml: --collection must be one of ['Tiny'], got Huge",
        ),
        (['--out', zoo / 'README.md'], f"{zoo}/README.md must have the field 'Models'"),
    ):
        assert make(*args) == (1, '', f'error: {message}\n')
    assert (zoo / 'metafile.yml').read_text() == METAFILE
    assert not (zoo / 'new.yml').exists()


def test_a_new_metafile(make, cost, zoo):
    """With its collection; somebody has to import it."""
    (zoo / 'metafile.yml').unlink()
    index = zoo.parents[1] / 'model-index.yml'
    index.write_text('Import: []\n')
    status, _, err = make('--out', zoo / 'metafile.yml', '--collection', 'New')
    assert status == 0
    assert err == (f'warning: {index} does not import {zoo}/metafile.yml\n')
    found = yaml.safe_load((zoo / 'metafile.yml').read_text())
    assert found['Collections'] == [dict(Name='New', README='configs/tiny/README.md')]
    assert found['Models'] == [
        {'Name': NAME, 'In Collection': 'New', 'Config': f'configs/tiny/{NAME}.py', 'Metadata': metadata(cost)}
    ]


def test_a_config_elsewhere(run_main, tiny_config):
    result = run_main('model_converters/make_metafile.py', tiny_config)
    assert result == (
        1,
        '',
        f'error: {tiny_config}: expected the path of a file in the configs directory beside a model-index.yml\n',
    )
