# Copyright (c) mmrdn contributors. All rights reserved.
"""Requirements, interpreter checks and the steps of the set-up."""

import importlib.util
import re
import subprocess
import sys
import venv
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


@pytest.mark.parametrize(
    'name', ['build', 'stacks/onedl', 'stacks/openmmlab', 'mminstall_nodeps', 'runtime', 'tests', 'docs', 'web']
)
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
    found = dict(re.findall(r'rev: v?(\S+)\n    hooks:\n      - id: (\S+)', text))
    assert sorted(found.values()) == ['codespell', 'ruff-check']
    for version, tool in found.items():
        assert version in pins()[tool.removesuffix('-check')].values()


def make_check(tmp_path, python):
    return subprocess.run(
        ['make', '-s', 'check-python', f'PYTHON={python}', f'VENV={tmp_path}/none'],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


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


@pytest.mark.parametrize(
    ('statuses', 'message'),
    [(None, "no interpreter '"), ((1, 0), 'needs Python >= 3.10'), ((0, 1), 'has no venv module')],
)
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
def setup_env(monkeypatch):
    path = ROOT / 'tools' / 'misc' / 'setup_env.py'
    monkeypatch.syspath_prepend(str(path.parent))
    spec = importlib.util.spec_from_file_location('setup_env', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_failed_step_names_itself_and_is_resumed(setup_env, tmp_path, monkeypatch, capsys):
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


def test_changed_requirements_repeat_all_steps(setup_env, tmp_path, monkeypatch):
    requirement = tmp_path / 'runtime.txt'
    requirement.write_text('numpy')
    monkeypatch.setattr(setup_env, 'INPUTS', [requirement])
    monkeypatch.setattr(setup_env, 'STEPS', (lambda env: None,))
    env = setup_env.Environment(tmp_path)
    env.state.mkdir()
    assert [setup_env.set_up(env) for _ in range(2)] == [1, 0]
    requirement.write_text('numpy>=2')
    assert setup_env.set_up(env) == 1


@pytest.mark.parametrize(
    ('found', 'expected'),
    [
        (None, f'torch=={pins()["torch"][None]}'),
        ('2.5.1+cu121', 'torch==2.5.1+cu121'),
        ('2.3.0', f'torch=={pins()["torch"][None]}'),
    ],
)
def test_suitable_torch_is_kept(setup_env, tmp_path, monkeypatch, found, expected):
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


STACKS = dict(onedl=('.venv', ['onedl-mmengine', 'onedl-mmcv']), openmmlab=('.venv-openmmlab', ['mmengine', 'mmcv']))


@pytest.mark.parametrize('stack', STACKS)
def test_each_stack_has_an_environment_of_its_own(stack):
    folder = STACKS[stack][0]
    for arguments, expected in (([f'STACK={stack}'], folder), ([f'STACK={stack}', 'VENV=x'], 'x')):
        for target in ('setup', 'test', 'demo', 'docs'):
            done = subprocess.run(['make', '-n', target, *arguments], cwd=ROOT, capture_output=True, text=True)
            assert f'--stack "{stack}" --venv "{expected}"' in done.stdout
            interpreters = set(re.findall(r'(?m)(?<=^)\S+/bin/python', done.stdout))
            assert interpreters <= {f'{expected}/bin/python'}
            assert interpreters or target == 'setup'


@pytest.mark.parametrize('stack', STACKS)
def test_mmcv_of_the_stack_is_built(setup_env, tmp_path, monkeypatch, stack):
    installed, checks = [], [False, True]
    env = setup_env.Environment(tmp_path, stack)
    monkeypatch.setattr(env, 'passes', lambda mode: checks.pop(0))
    monkeypatch.setattr(env, 'run', lambda command: None)
    monkeypatch.setattr(env, 'install', lambda *args, patience='': installed.append(args[-1]))
    setup_env.mmcv(env)
    assert installed == STACKS[stack][1]


def test_torch_that_is_too_new_for_mmcv(setup_env, tmp_path, monkeypatch):
    env = setup_env.Environment(tmp_path)
    env.log = tmp_path / 'log'
    env.log.write_text(
        'FAILED: a.o\n/x/ATen.h:9:2: error: #error C++20 or later compatible compiler is required to use ATen.\n'
    )
    monkeypatch.setenv('CXX', 'sh')
    monkeypatch.setattr(env, 'output', lambda *args: '2.15.0')
    assert setup_env.why_not_compiled(env) == (
        'torch 2.15.0 needs C++20, this mmcv asks for an older C++: see "A newer torch" in docs/get_started.md'
    )
    env.log.write_text('FAILED: a.o\n')
    assert setup_env.why_not_compiled(env) is None


def test_default_stack_is_onedl(setup_env, tmp_path):
    env = setup_env.Environment(tmp_path)
    assert env.stack.name == 'onedl'
    assert env.check('ops')[-2:] == ['ops', 'onedl']
    assert env.stack.foreign == ['mmcv', 'mmdet', 'mmengine']


def test_change_of_stack_repeats_all_steps(setup_env, tmp_path, monkeypatch):
    monkeypatch.setattr(setup_env, 'STEPS', (lambda env: None,))
    (tmp_path / 'mmrdn-setup').mkdir()
    done = [
        setup_env.set_up(setup_env.Environment(tmp_path, stack))
        for stack in ('onedl', 'onedl', 'openmmlab', 'openmmlab')
    ]
    assert done == [1, 0, 1, 0]


def run_setup(*args):
    done = subprocess.run(
        [sys.executable, ROOT / 'tools' / 'misc' / 'setup_env.py', *args], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (1, '')
    return done.stderr


def test_unknown_stack_gets_one_line(tmp_path):
    assert run_setup('--stack', 'mmlab', '--venv', tmp_path / 'x') == (
        "error: no stack 'mmlab', expected STACK=onedl or STACK=openmmlab\n"
    )
    assert not (tmp_path / 'x').exists()


@pytest.mark.parametrize(('there', 'stack'), [('onedl_mmcv', 'openmmlab'), ('mmengine', 'onedl')])
def test_stacks_are_not_mixed(tmp_path, there, stack):
    """Both provide the same modules: the later would overwrite the first."""
    folder = tmp_path / 'env'
    venv.create(folder, symlinks=True)
    info = next(folder.glob('lib/*/site-packages')) / f'{there}-1.0.dist-info'
    info.mkdir()
    name = there.replace('_', '-')
    (info / 'METADATA').write_text(f'Name: {name}\nVersion: 1.0\n')
    assert run_setup('--stack', stack, '--venv', folder) == (
        f'error: {folder} has {name}, which STACK={stack} would overwrite: choose another VENV= or STACK=\n'
    )
    assert not (folder / 'mmrdn-setup').exists()
