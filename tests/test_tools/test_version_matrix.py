# Copyright (c) mmrdn contributors. All rights reserved.
"""The version matrix: what is found, what is run, what is written."""

import datetime
import importlib
import json
import platform
import re
import subprocess
import sys

import mmcv
import mmdet
import mmengine
import numpy
import pytest
import torch

from helpers.tools import ROOT

TORCH = re.search(r'(?m)^torch==(.*)$', (ROOT / 'requirements' / 'constraints.txt').read_text())[1]
TOOL = ROOT / 'tools' / 'misc' / 'version_matrix.py'
VERSIONS = dict(
    python='3.11.7',
    system='Linux x86_64',
    device='CPU',
    packages=dict(torch=['torch', '99.1.0+cpu'], mmcv=['onedl-mmcv', '2.3.6'], mmdet=['mmdet', '3.0.0rc5']),
    mmrdn=str(ROOT / 'mmrdn'),
)
REPORT = """<testsuites><testsuite>
<testcase classname="tests.test_a" file="tests/test_a.py" name="test_x[1]"
  time="1.5"/>
<testcase classname="tests.test_a" file="tests/test_a.py" name="test_x[2]"
  time="2.5"><failure message="assert 1 == 2">...</failure></testcase>
<testcase classname="tests.test_a" file="tests/test_a.py" name="test_y">
  <error message="no such fixture">...</error></testcase>
<testcase classname="tests.test_a" file="tests/test_a.py" name="test_z">
  <skipped message="no GPU">...</skipped></testcase>
<testcase classname="tests.test_a" file="tests/test_a.py" name="test_w">
  <skipped message="no GPU">...</skipped></testcase>
</testsuite></testsuites>"""
# Stands in for an environment's interpreter.
STUB = """#!{python} -I
import sys
from pathlib import Path
if sys.argv[1].endswith('print_versions.py'):
    print({versions!r})
    sys.exit({error!r})
Path({log!r}).write_text(repr(sys.argv[1:-1]))
option, path = sys.argv[-1].split('=')
Path(path).write_text({report!r})
sys.exit({status})
"""


@pytest.fixture
def stub(tmp_path):
    """Make an interpreter that knows versions and outcomes."""

    def make(name='python', report=REPORT, status=1, error=None, versions=VERSIONS):
        path = tmp_path / name
        path.write_text(
            STUB.format(
                python=sys.executable,
                versions='' if error else json.dumps(versions),
                error=error,
                log=f'{path}.log',
                report=report,
                status=status,
            )
        )
        path.chmod(0o755)
        return path

    return make


@pytest.fixture
def page(tmp_path):
    return tmp_path / 'docs' / 'versions.md'


@pytest.fixture
def matrix(page):
    """Run the tool: exit status and stderr."""
    page.parent.mkdir()

    def call(*args):
        done = subprocess.run([sys.executable, TOOL, '--out', page, *args], capture_output=True, text=True)
        return done.returncode, done.stderr

    return call


@pytest.fixture
def module(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOL.parent))
    return importlib.import_module('version_matrix')


def cells(page, row):
    """{title: cell} of an environment in the table."""
    lines = [x for x in page.read_text().splitlines() if x.startswith('| ')]
    table = [[cell.strip() for cell in line[1:-1].split('|')] for line in lines]
    column = table[0].index(row)
    return {cells[0]: cells[column] for cells in table[2:]}


def test_outcome_is_recorded(matrix, page, stub):
    """Two of five failed, two were skipped; of other rows nothing is said."""
    today = datetime.date.today().isoformat()
    status, _ = matrix('--env', f'newest-torch={stub()}')
    assert status == 1  # a test failed
    record = json.loads(page.with_suffix('.json').read_text())
    versions = {k: v for k, v in VERSIONS.items() if k != 'mmrdn'}
    commit = record['newest-torch']['commit']
    assert re.fullmatch('unknown|[0-9a-f]{12}(-dirty)?', commit)
    assert record == {
        'newest-torch': dict(
            date=today,
            commit=commit,
            **versions,
            command='python -m pytest tests',
            tests=['tests'],
            passed=1,
            failed=2,
            skipped=2,
            failures=['tests/test_a.py::test_x[2]', 'tests/test_a.py::test_y'],
            skips={'no GPU': 2},
            seconds=4,
        )
    }
    assert cells(page, 'newest-torch') == {
        'Outcome': 'failed',
        'Tests': 'all',
        'Passed': '1',
        'Failed': '2',
        'Skipped': '2',
        'Python': '3.11.7',
        'torch': '99.1.0+cpu',
        'numpy': '-',
        'mmcv': 'onedl-mmcv 2.3.6',
        'mmengine': '-',
        'mmdet': '3.0.0rc5',
        'mmtrack': '-',
        'Date': today,
        'Commit': commit,
    }
    for row in ('onedl', 'openmmlab', 'mmdet-3.0.0rc5'):
        found = cells(page, row)
        assert found.pop('Outcome') == 'not tested'
        assert set(found.values()) == {'-'}
    text = page.read_text()
    assert '  Failed: `tests/test_a.py::test_x[2]`.\n' in text
    assert '  `python -m pytest tests` on Linux x86_64, CPU.\n' in text


def test_rows_are_replaced_one_by_one(matrix, page, stub):
    green = '<testsuites><testcase file="a.py" name="b"/></testsuites>'
    first = stub('first')
    assert matrix('--env', f'newest-torch={first}')[0] == 1
    second = stub('second', report=green, status=0)
    assert matrix('--env', f'mmdet-3.0.0rc5={second}')[0] == 0
    assert cells(page, 'newest-torch')['Outcome'] == 'failed'
    assert cells(page, 'mmdet-3.0.0rc5')['Outcome'] == 'passed'
    assert matrix('--env', f'newest-torch={second}')[0] == 0
    assert cells(page, 'newest-torch')['Outcome'] == 'passed'
    before = page.read_text()
    page.unlink()
    assert matrix() == (0, '')  # the page anew, out of the record
    assert page.read_text() == before


def test_page_names_the_part_that_was_tested(matrix, page, stub):
    python = stub()
    matrix('--env', f'newest-torch={python}', '--tests', 'tests/test_a.py', 'tests/test_b.py')
    assert (
        python.with_suffix('.log').read_text().startswith("['-m', 'pytest', 'tests/test_a.py', 'tests/test_b.py', '-q'")
    )
    found = cells(page, 'newest-torch')
    assert found['Outcome'] == 'failed, only a part'
    assert found['Tests'] == '`tests/test_a.py tests/test_b.py`'


def test_complete_rows_stay_when_a_later_one_breaks(matrix, page, stub):
    status, err = matrix(
        '--env', f'newest-torch={stub("first")}', '--env', f'mmdet-3.0.0rc5={stub("second", status=4)}'
    )
    assert (status, err) == (1, 'error: env mmdet-3.0.0rc5: pytest ended with status 4, see above\n')
    assert cells(page, 'newest-torch')['Failed'] == '2'
    assert cells(page, 'mmdet-3.0.0rc5')['Outcome'] == 'not tested'


def elsewhere():
    return VERSIONS | dict(mmrdn='/elsewhere/mmrdn')


@pytest.mark.parametrize(
    ('row', 'options', 'message'),
    [
        ('newest-torch', None, 'env newest-torch: no interpreter {python} (No such file or directory)'),
        (
            'newest-torch',
            dict(error="error: No module named 'mmrdn'"),
            "env newest-torch: {python} has no mmrdn that works: No module named 'mmrdn'",
        ),
        (
            'newest-torch',
            dict(versions=elsewhere()),
            f'env newest-torch: {{python}} has the mmrdn of /elsewhere, expected that of {ROOT}',
        ),
        ('openmmlab', {}, 'env openmmlab: expected mmcv-lite 2.1.0, found none'),
        (
            'mmdet-3.0.0rc5',
            dict(versions=VERSIONS | dict(packages=dict(mmdet=['mmdet', '3.3.0']))),
            'env mmdet-3.0.0rc5: expected mmdet 3.0.0rc5, found 3.3.0',
        ),
        (
            'newest-torch',
            dict(versions=VERSIONS | dict(packages=dict(torch=['torch', '2.9.1']))),
            f'env newest-torch: expected torch >{TORCH}, found 2.9.1',
        ),
        (
            'rc5',
            {},
            '--env rc5={python}: expected NAME=PYTHON, where NAME is one '
            'of onedl, openmmlab, compiled, newest-torch, oldest-torch, mmdet-3.0.0rc5',
        ),
    ],
)
def test_bad_environment_keeps_the_page(row, options, message, matrix, page, stub):
    """Nothing is run, not even in the environment before the bad one."""
    good = stub('good')
    assert matrix('--env', f'newest-torch={good}')[0] == 1
    good.with_suffix('.log').unlink()
    files = [page, page.with_suffix('.json')]
    before = [path.read_bytes() for path in files]
    python = good.with_name('bad')
    if options is not None:
        python = stub('bad', **options)
    status, err = matrix('--env', f'newest-torch={good}', '--env', f'{row}={python}')
    assert (status, err) == (1, f'error: {message.format(python=python)}\n')
    assert [path.read_bytes() for path in files] == before
    assert sorted(page.parent.iterdir()) == sorted(files)
    assert not good.with_suffix('.log').exists()


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('versions.md', '# Mine\n', 'was not written by this script'),
        ('versions.json', '{"onedl": ', 'is damaged: Expecting value: line 1 column 11 (char 10)'),
        ('versions.json', '{"mmdet4": {}}', "is damaged: unknown rows ['mmdet4']"),
        ('versions.json', '{"onedl": {}}', "is damaged: no field 'tests'"),
        ('versions.json', '3', "is damaged: 'int' object is not iterable"),
    ],
)
def test_files_of_others_are_kept(name, content, message, matrix, page, stub):
    path = page.with_name(name)
    path.write_text(content)
    status, err = matrix('--env', f'newest-torch={stub()}')
    assert (status, err) == (1, f'error: {path} {message}\n')
    assert path.read_text() == content
    assert list(page.parent.iterdir()) == [path]


def test_versions_of_this_environment(module):
    found = module.look_into('this', sys.executable)
    assert found['python'] == platform.python_version()
    versions = {name: x[1] for name, x in found['packages'].items()}
    for package in (torch, numpy, mmcv, mmengine, mmdet):
        assert versions[package.__name__] == package.__version__
    assert versions['mmtrack'] == '1.0.0rc1'
    assert found['device'] == ('CPU' if not torch.cuda.is_available() else torch.cuda.get_device_name())


def test_commit(module, tmp_path, monkeypatch):
    """A change of code makes it another one, of the docs does not."""

    def git(*args):
        done = subprocess.run(
            ['git', '-c', 'user.name=x', '-c', 'user.email=x@y', *args],
            cwd=tmp_path,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        return done.stdout.strip()

    monkeypatch.setenv('GIT_CEILING_DIRECTORIES', str(tmp_path.parent))
    monkeypatch.setattr(module, 'ROOT', tmp_path)
    assert module.commit() == 'unknown'
    (tmp_path / 'docs').mkdir()
    for name in ('code.py', 'docs/page.md'):
        (tmp_path / name).write_text('first')
    git('init', '-q')
    git('add', '.')
    git('commit', '-q', '-m', 'first')
    head = git('log', '--format=%H')[:12]
    (tmp_path / 'docs' / 'page.md').write_text('second')
    (tmp_path / 'new').write_text('untracked')
    assert module.commit() == head
    (tmp_path / 'code.py').write_text('second')
    assert module.commit() == f'{head}-dirty'


def test_real_tests_are_counted(module, tmp_path):
    """Also where a file cannot be collected."""
    (tmp_path / 'test_some.py').write_text(
        'import pytest\n'
        '@pytest.mark.parametrize("x", '
        '[1, 2, 3])\n'
        'def test_x(x): assert x < 3\n'
        '@pytest.mark.skip("no moon")\n'
        'def test_y(): pass\n'
    )
    (tmp_path / 'test_none.py').write_text('import nowhere\n')
    result = module.run_tests('this', sys.executable, [str(tmp_path)])
    counts = [result[key] for key in ('passed', 'failed', 'skipped')]
    assert counts == [2, 2, 1]
    assert result['skips'] == {'no moon': 1}
    assert [x.split('::')[-1] for x in result['failures'][1:]] == ['test_x[3]']
    assert 'test_none' in result['failures'][0]


def test_page_of_the_docs_is_that_of_its_record(module):
    docs = ROOT / 'docs'
    record = json.loads((docs / 'versions.json').read_text())
    assert (docs / 'versions.md').read_text() == module.render(record)
