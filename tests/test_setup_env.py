# Copyright (c) mmrdn contributors. All rights reserved.
"""Requirements, interpreter checks and the steps of the set-up."""
import importlib.util
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = ROOT / 'requirements'


def lines_of(name):
    lines = (REQUIREMENTS / f'{name}.txt').read_text().splitlines()
    return [x for x in lines if x.strip() and not x.startswith('#')]


def pins():
    """{name: {marker: version}} of constraints.txt."""
    result = {}
    for line in lines_of('constraints'):
        match = re.fullmatch(r'([\w.-]+)==([^; ]+)(?:; (.+))?', line)
        assert match, f'not a pin: {line!r}'
        name, version, marker = match.groups()
        result.setdefault(name, {})[marker] = version
    return result


@pytest.mark.parametrize('name', [
    'build', 'mminstall', 'mminstall_nodeps', 'runtime', 'tests', 'docs', 'web'
])
def test_every_requirement_is_pinned_and_explained(name):
    lines = lines_of(name)
    assert lines
    for line in lines:
        requirement, _, reason = line.partition('#')
        assert reason.strip(), f'{name}.txt: why is {requirement} there?'
        package = re.match(r'[\w.-]+', requirement).group()
        assert package in pins(), f'{package} is not in constraints.txt'


def test_every_pin_covers_both_pythons():
    markers = {'python_version >= "3.11"', 'python_version < "3.11"'}
    only = {'exceptiongroup', 'tomli', 'narwhals', 'roman-numerals'}
    for name, versions in pins().items():
        if name not in only and set(versions) != {None}:
            assert set(versions) == markers, name


def test_pre_commit_has_the_pinned_tools():
    text = (ROOT / '.pre-commit-config.yaml').read_text()
    found = dict(
        re.findall(r'rev: v?(\S+)\n    hooks:\n      - id: (\S+)', text))
    assert sorted(found.values()) == ['codespell', 'flake8', 'isort', 'yapf']
    for version, tool in found.items():
        assert version in pins()[tool].values()


def make_check(tmp_path, python):
    return subprocess.run(
        ['make', '-s', 'check-python', f'PYTHON={python}',
         f'VENV={tmp_path}/none'],
        cwd=ROOT,
        capture_output=True,
        text=True)  # yapf: disable


def fake_python(tmp_path, on_version, on_venv):
    path = tmp_path / 'fake-python'
    path.write_text(f"""#!/bin/sh
case "$*" in
  *version_info*) exit {on_version} ;;
  *ensurepip*) exit {on_venv} ;;
  --version) echo "Python 3.8.18" ;;
esac
""")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(('statuses', 'message'), [
    (None, "no interpreter '"),
    ((1, 0), 'needs Python >= 3.10'),
    ((0, 1), 'has no venv module'),
])
def test_unsuitable_interpreter_gets_one_line(tmp_path, statuses, message):
    python = tmp_path / 'missing'
    if statuses:
        python = fake_python(tmp_path, *statuses)
    done = make_check(tmp_path, python)
    assert done.returncode != 0
    assert len(done.stdout.splitlines()) == 1
    assert done.stdout.startswith('error: ') and message in done.stdout
    assert str(python) in done.stdout


def test_suitable_interpreter_passes(tmp_path):
    done = make_check(tmp_path, fake_python(tmp_path, 0, 0))
    assert (done.returncode, done.stdout) == (0, '')


@pytest.fixture
def setup_env():
    path = ROOT / 'tools' / 'misc' / 'setup_env.py'
    spec = importlib.util.spec_from_file_location('setup_env', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_failed_step_names_itself_and_is_resumed(setup_env, tmp_path,
                                                 monkeypatch, capsys):
    done, broken = [], [True]

    def first(env):
        """make tea"""
        done.append('first')

    def second(env):
        """pour tea"""
        if broken:
            env.run(['sh', '-c', 'echo no cup; exit 7'])
        done.append('second')

    monkeypatch.setattr(setup_env, 'STEPS', (first, second))
    env = setup_env.Environment(tmp_path)
    env.state.mkdir()
    with pytest.raises(SystemExit) as error:
        setup_env.set_up(env)
    message = str(error.value)
    assert message.startswith("error: step 2/2 'pour tea' failed: exit code 7")
    assert str(env.state / '2-second.log') in message
    assert '`make setup` again' in message
    assert '| no cup' in capsys.readouterr().out

    broken.clear()
    assert setup_env.set_up(env) == 1
    assert done == ['first', 'second']
    assert setup_env.set_up(env) == 0


def test_changed_requirements_repeat_all_steps(setup_env, tmp_path,
                                               monkeypatch):
    requirement = tmp_path / 'runtime.txt'
    requirement.write_text('numpy')
    monkeypatch.setattr(setup_env, 'INPUTS', [requirement])
    monkeypatch.setattr(setup_env, 'STEPS', (lambda env: None, ))
    env = setup_env.Environment(tmp_path)
    env.state.mkdir()
    assert [setup_env.set_up(env) for _ in range(2)] == [1, 0]
    requirement.write_text('numpy>=2')
    assert setup_env.set_up(env) == 1


@pytest.mark.parametrize(('found', 'expected'), [
    (None, f'torch=={pins()["torch"][None]}'),
    ('2.5.1+cu121', 'torch==2.5.1+cu121'),
    ('2.3.0', f'torch=={pins()["torch"][None]}'),
])
def test_suitable_torch_is_kept(setup_env, tmp_path, monkeypatch, found,
                                expected):
    env = setup_env.Environment(tmp_path)
    env.state.mkdir()
    monkeypatch.setattr(env, 'output', lambda *args: found)
    lines = env.constraints().read_text().splitlines()
    assert [x for x in lines if x.startswith('torch==')] == [expected]


def test_old_torch_is_refused(setup_env, tmp_path, monkeypatch):
    env = setup_env.Environment(tmp_path)
    monkeypatch.setattr(env, 'output', lambda *args: '2.3.0')
    with pytest.raises(setup_env.StepError, match='torch 2.3.0.*>=2.4'):
        setup_env.build_tools(env)


def test_progress_is_read_from_the_log(setup_env, tmp_path):
    log = tmp_path / 'log'
    log.write_text('running build_ext\n')
    assert setup_env.compiled(log) == ''
    log.write_text('x\n  [1/130] c++ a.o\n  [17/130] c++ b.o\n')
    assert setup_env.compiled(log) == ', 17 of 130 files compiled'
