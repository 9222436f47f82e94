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
    'name', ['stacks/onedl', 'stacks/openmmlab', 'mminstall_nodeps', 'runtime', 'tests', 'docs', 'web', 'deploy']
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


def load_setup_env():
    path = ROOT / 'tools' / 'misc' / 'setup_env.py'
    spec = importlib.util.spec_from_file_location('setup_env', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def setup_env():
    return load_setup_env()


@pytest.fixture
def call(setup_env, tmp_path, monkeypatch):
    """Run the set-up of an environment with other steps: what the steps did."""
    broken = []

    def steps(python, stack, ops, found):
        for name in ('make tea', 'pour tea'):
            command = 'echo no cup; exit 7' if name in broken else f'echo {name} >> {tmp_path}/done'
            yield name, ['sh', '-c', command]

    monkeypatch.setattr(setup_env, 'steps', steps)

    def setup(*args, breaks=()):
        broken[:] = breaks
        monkeypatch.setattr(sys, 'argv', ['setup_env.py', '--venv', str(tmp_path / 'env'), *args])
        (tmp_path / 'done').write_text('')
        setup_env.main()
        return (tmp_path / 'done').read_text().splitlines()

    return setup


def test_what_is_imported_is_compiled_once(tmp_path, monkeypatch):
    """pip leaves that to the check, also where commands are told to write no compiled modules."""
    monkeypatch.setenv('PYTHONDONTWRITEBYTECODE', '1')
    (tmp_path / 'cup.py').write_text('')
    code = f'import sys; sys.path.insert(0, {str(tmp_path)!r}); import cup'
    load_setup_env().run('check', [sys.executable, '-c', code], tmp_path / 'log.txt')
    assert list(tmp_path.glob('__pycache__/cup.*.pyc'))


@pytest.mark.slow
def test_failed_step_names_itself_and_is_resumed(call, setup_env, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(setup_env, 'listed', lambda *names: [])
    with pytest.raises(SystemExit) as error:
        call(breaks=['pour tea'])
    log = tmp_path / 'env' / 'mmrdn-setup' / 'log.txt'
    assert str(error.value) == (
        f'error: "pour tea" failed; log: {log}; fix the cause, then run the same command again to continue'
    )
    assert '| no cup' in capsys.readouterr().out
    assert call() == ['make tea', 'pour tea']
    # Complete but for mmrdn itself, which these steps do not install. The environment that runs the
    # tests may have it, and the new one sees what that one has.
    found = setup_env.look_into(tmp_path / 'env' / 'bin' / 'python')
    versions = {name: version for name, version in found['versions'].items() if name != 'mmrdn'}
    monkeypatch.setattr(setup_env, 'look_into', lambda python: found | dict(versions=versions))
    assert call() == ['make tea', 'pour tea']
    versions['mmrdn'] = '1'
    assert call() == []
    assert 'is complete, nothing to install' in capsys.readouterr().out
    for change in (['--stack', 'openmmlab'], ['--ops', 'compiled']):
        assert call(*change) == ['make tea', 'pour tea']


@pytest.mark.parametrize(
    ('found', 'expected'),
    [
        (None, f'torch=={pins()["torch"][None]}'),
        ('2.5.1+cu121', 'torch==2.5.1+cu121'),
        ('2.10.0', 'torch==2.10.0'),
        ('2.3.0', f'torch=={pins()["torch"][None]}'),
    ],
)
def test_suitable_torch_is_kept(setup_env, found, expected):
    lines = setup_env.constraints(dict(torch=found) if found else {}).splitlines()
    assert [x for x in lines if x.startswith('torch==')] == [expected]


def test_every_listed_package_is_a_pinned_one(setup_env):
    """Names with a dot, such as ruamel.yaml, are whole."""
    names = setup_env.listed('stacks/onedl', 'stacks/openmmlab', 'mminstall_nodeps', 'runtime', 'tests', 'web')
    assert set(names) <= set(pins())
    assert setup_env.listed('runtime')[0] == 'torch'


def test_an_environment_with_broken_packages(setup_env, tmp_path):
    """A pip that was killed leaves directories without metadata."""
    folder = tmp_path / 'env'
    venv.create(folder, symlinks=True)
    site = next(folder.glob('lib/*/site-packages'))
    (site / 'broken-1.0.dist-info').mkdir()
    (site / 'whole-1.0.dist-info').mkdir()
    (site / 'whole-1.0.dist-info' / 'METADATA').write_text('Name: Whole_Thing\nVersion: 1.0\n')
    found = setup_env.look_into(folder / 'bin' / 'python')
    assert found['versions']['whole-thing'] == '1.0' and found['here'] == str(site)


def test_old_torch_is_refused(call, setup_env, monkeypatch):
    found = dict(
        versions=dict(torch='2.3.0'), own=['pip', 'torch'], here='', paths=[], python='%d.%d' % sys.version_info[:2]
    )
    monkeypatch.setattr(setup_env, 'look_into', lambda python: found)
    with pytest.raises(SystemExit, match='has torch 2.3.0, expected >=2.4: upgrade or uninstall it'):
        call()


STACKS = dict(onedl=('.venv', 'onedl-mmcv'), openmmlab=('.venv-openmmlab', 'mmcv'))


@pytest.mark.parametrize('stack', STACKS)
def test_each_stack_has_an_environment_of_its_own(stack):
    folder = STACKS[stack][0]
    for ops, suffix in (('own', ''), ('compiled', '-compiled')):
        for arguments, expected in (([], folder + suffix), (['VENV=x'], 'x')):
            for target in ('setup', 'test', 'demo', 'docs'):
                command = ['make', '-n', target, f'STACK={stack}', f'OPS={ops}', *arguments]
                done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
                assert f'--stack "{stack}" --ops "{ops}" --venv "{expected}"' in done.stdout
                interpreters = set(re.findall(r'(?m)(?<=^)\S+/bin/python', done.stdout))
                assert interpreters <= {f'{expected}/bin/python'}
                assert interpreters or target == 'setup'


@pytest.mark.parametrize('stack', STACKS)
def test_mmcv_is_compiled_only_where_asked_for(setup_env, stack):
    python = ROOT / 'x' / 'bin' / 'python'
    for ops in ('own', 'compiled'):
        commands = [command for _, command in setup_env.steps(python, stack, ops, dict(own=['mmcv', 'onedl-mmcv']))]
        names = {command[-1] for command in commands if '--no-build-isolation' in command and '-e' not in command}
        assert names == ({STACKS[stack][1]} if ops == 'compiled' else set())
        assert ('mmcv-lite' in sum(commands, [])) == (ops == 'own')
        removed = [command[5:] for command in commands if 'uninstall' in command]
        others = {STACKS[stack][1]} if ops == 'own' else set()
        assert removed[0] == sorted({'mmcv', 'onedl-mmcv'} - {STACKS[stack][1]} | others)


def run_setup(*args):
    done = subprocess.run(
        [sys.executable, ROOT / 'tools' / 'misc' / 'setup_env.py', *args], capture_output=True, text=True
    )
    assert done.returncode != 0 and done.stdout == ''
    return done.stderr


def test_unknown_stack_gets_one_line(tmp_path):
    message = run_setup('--stack', 'mmlab', '--venv', tmp_path / 'x').splitlines()[-1]
    assert message == (
        "setup_env.py: error: argument --stack: invalid choice: 'mmlab' (choose from 'onedl', 'openmmlab')"
    ) or message.endswith("invalid choice: 'mmlab' (choose from onedl, openmmlab)")  # Python 3.12
    assert not (tmp_path / 'x').exists()


@pytest.mark.parametrize(('there', 'stack'), [('onedl_mmengine', 'openmmlab'), ('mmengine', 'onedl')])
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
