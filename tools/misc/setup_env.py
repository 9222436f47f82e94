# Copyright (c) mmrdn contributors. All rights reserved.
"""Set up one virtual environment with all that mmrdn needs, from wheels alone.

`make setup` runs it. After an interruption it continues; in a complete environment it installs
nothing. `--ops compiled` compiles mmcv, for those who need more of its operators than
mmrdn.ops has. Standard library only, Python >= 3.10.

A `torch>=2.4` that is there already is kept: that of the environment, or that of the interpreter
which runs this script (a new environment then sees its packages). Otherwise the torch of
requirements/constraints.txt is installed.
"""

import argparse
import fcntl
import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / 'requirements'
COMPILED = dict(onedl='onedl-mmcv', openmmlab='mmcv')  # mmcv as source, by stack
ASTRAY = re.compile('PYTHON(PATH|HOME|DONTWRITEBYTECODE)|PIP_(USER|TARGET|PREFIX|CONSTRAINT|REQUIREMENT)').fullmatch
ENVIRON = {k: v for k, v in os.environ.items() if not ASTRAY(k)} | dict(PYTHONNOUSERSITE='1', PIP_NO_INPUT='1')
# What an interpreter can import, which of it is the environment's own, and where it looks.
LOOK = """import importlib.metadata as m, json, sys, sysconfig
here, name = sysconfig.get_path('purelib'), lambda d: d.metadata['Name'].lower().replace('_', '-')
found = [d for d in m.distributions() if d.metadata and d.metadata['Name']]  # a killed pip leaves nameless ones
print(json.dumps(dict(
    versions={name(d): d.version for d in reversed(found)}, here=here,
    own=[name(d) for d in found if str(d.locate_file('')) == here],
    paths=[p for p in sys.path if p.endswith('-packages')], python='%d.%d' % sys.version_info[:2])))"""
CHECK = """import torch, mmrdn.apis, mmcv, mmengine, mmdet, mmtrack, mmcls, mim, cv2, av, pytest, hypothesis, flask
from mmcv.ops import nms, roi_align; import mmrdn.setup_env as e; e.register_all_modules()
assert len(nms(torch.tensor([[0, 0, 9, 9.0]] * 2), torch.ones(2), 0.5)[1]) == 1, 'mmcv.ops.nms is wrong'
assert roi_align(torch.ones(1, 1, 4, 4), torch.tensor([[0, 0, 0, 4, 4.0]]), 1) == 1, 'mmcv.ops.roi_align is wrong'
print(', '.join(f'{x.__name__} {x.__version__}' for x in (torch, mmcv, mmengine, mmdet, mmtrack, mmrdn)))"""


def look_into(python):
    """Return what LOOK prints of an interpreter; nothing where it is missing or does not run."""
    try:
        done = subprocess.run([python, '-c', LOOK], cwd=ROOT / 'docs', env=ENVIRON, capture_output=True, text=True)
        return json.loads(done.stdout)
    except (OSError, ValueError):
        return dict(versions={}, own=[], here='', paths=[], python='')


def listed(*names):
    """Names of the packages that requirements/<name>.txt lists."""
    return re.findall(r'(?m)^[\w.-]+', '\n'.join((REQUIREMENTS / f'{name}.txt').read_text() for name in names))


def kept_torch(versions):
    """The version of a torch that is there and new enough, or None."""
    found = versions.get('torch')
    return found if found and [int(n) for n in re.findall(r'\d+', found)[:2]] >= [2, 4] else None


def constraints(versions):
    """Our constraints, with the torch that is kept."""
    text, torch = (REQUIREMENTS / 'constraints.txt').read_text(), kept_torch(versions)
    return re.sub(r'(?m)^torch==.*$', f'torch=={torch}', text) if torch else text


def run(title, command, log):
    """Run a step, its output to the log; end with its last lines and one that names it if it fails."""
    print(f'[setup] {title}', flush=True)
    with open(log, 'a') as file:
        print('$', *command, file=file, flush=True)
        done = subprocess.run(command, cwd=ROOT, env=ENVIRON, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
    lines = log.read_text(errors='replace').splitlines()
    if done.returncode:
        print('\n'.join(f'      | {line[:160]}' for line in lines[-12:]))
        sys.exit(f'error: "{title}" failed; log: {log}; fix the cause, then run the same command again to continue')
    return lines[-1]


def steps(python, stack, ops, found):
    """Titles and commands that install everything, in order; modules are compiled by the check, which imports them."""
    pip = [python, '-m', 'pip', 'install', '--no-compile', '-c', python.parents[1] / 'mmrdn-setup' / 'constraints.txt']
    mmcv, build = ('mmcv-lite', []) if ops == 'own' else (COMPILED[stack], ['ninja', 'psutil', 'wheel'])
    files = [word for name in ('runtime', 'tests', 'web') for word in ('-r', REQUIREMENTS / f'{name}.txt')]
    yield 'install torch and the other dependencies (a minute or two)', [*pip, 'pip', 'setuptools', *build, *files]
    if others := {'mmcv-lite', *COMPILED.values()} & set(found['own']) - {mmcv}:  # each provides the module mmcv
        yield 'remove the other mmcv', [python, '-m', 'pip', 'uninstall', '-y', *sorted(others)]
    # Without what they require: an mmcv to compile, pandas of 2021. opencv-python, which others require, writes
    # the same directory as the headless one and needs libGL: the last one installed wins.
    names = {*listed(f'stacks/{stack}', 'mminstall_nodeps'), 'opencv-python-headless'} - ({'mmcv-lite'} - {mmcv})
    yield 'install mmcv, mmengine, mmdet, mmtrack and mim', [*pip, '--no-deps', '--force-reinstall', *sorted(names)]
    if build:  # under build isolation pip would build without torch, and so without the operators
        yield 'compile mmcv (ten minutes or more)', [*pip, '--no-deps', '--no-build-isolation', mmcv]
    yield 'install mmrdn, editable', [*pip, '--no-deps', '--no-build-isolation', '-e', ROOT]
    yield 'check the whole', [python, '-c', CHECK]


def set_up(venv, stack, ops, wanted):
    """Install missing packages, unless a stamp marks a complete installation."""
    python, state = venv / 'bin' / 'python', venv / 'mmrdn-setup'
    found, stamp, log = look_into(python), state / 'complete', state / 'log.txt'
    inputs = [*sorted(REQUIREMENTS.rglob('*.txt')), ROOT / 'pyproject.toml', ROOT / 'setup.py', Path(__file__)]
    key = '\n'.join([stack, ops, *(x.read_text() for x in inputs)])
    if stamp.exists() and stamp.read_text() == key and {*wanted, 'mmrdn'} - {'mmcv-lite'} <= set(found['versions']):
        return print(f'[setup] {venv} is complete, nothing to install')
    stamp.unlink(missing_ok=True)
    log.write_text('')
    print(f'[setup] into {venv}; to follow a step: tail -f {log}')
    if 'pip' not in found['own']:
        run('create the virtual environment', [sys.executable, '-m', 'venv', venv], log)
        parent, found = look_into(sys.executable), look_into(python)
        if kept_torch(parent['versions']):
            # Unlike --system-site-packages, this works where the parent is a virtual environment too.
            Path(found['here'], 'mmrdn_parent.pth').write_text('\n'.join(parent['paths']) + '\n')
            found = look_into(python)
    if 'torch' in found['versions'] and not kept_torch(found['versions']):
        sys.exit(f'error: {venv} has torch {found["versions"]["torch"]}, expected >=2.4: upgrade or uninstall it')
    (state / 'constraints.txt').write_text(constraints(found['versions']))
    last = [run(title, command, log) for title, command in steps(python, stack, ops, found)][-1]
    print(f'[setup] complete: {last}')
    stamp.write_text(key)


def main():
    """Refuse what does not go together, and set up."""
    stacks = sorted(path.stem for path in (REQUIREMENTS / 'stacks').glob('*.txt'))
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--stack', default='onedl', choices=stacks)
    parser.add_argument('--ops', default='own', choices=('own', 'compiled'))
    parser.add_argument('--venv', default=ROOT / '.venv', type=Path)
    args = parser.parse_args()
    venv, wanted = args.venv.absolute(), listed(f'stacks/{args.stack}', 'mminstall_nodeps', 'runtime', 'tests', 'web')
    found = look_into(venv / 'bin' / 'python')
    if others := {x for name in stacks for x in listed(f'stacks/{name}')} & set(found['own']) - set(wanted):
        message = 'error: %s has %s, which STACK=%s would overwrite: choose another VENV= or STACK='
        sys.exit(message % (venv, ', '.join(sorted(others)), args.stack))
    if found['python'] not in ('', '%d.%d' % sys.version_info[:2]):
        sys.exit(f'error: {venv} has Python {found["python"]}: choose it by PYTHON=, or another VENV=')
    (venv / 'mmrdn-setup').mkdir(parents=True, exist_ok=True)
    with open(venv / 'mmrdn-setup' / 'lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two `make` at once take turns
        set_up(venv, args.stack, args.ops, wanted)


if __name__ == '__main__':
    try:
        main()
    except KeyboardInterrupt:
        sys.exit('interrupted; run the same command again to continue')
