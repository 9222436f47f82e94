# Copyright (c) mmrdn contributors. All rights reserved.
"""Set up one virtual environment with all that mmrdn needs, from wheels alone.

Run by `make setup`. Standard library only, Python >= 3.10.

    python3 tools/misc/setup_env.py [--venv .venv] [--stack onedl] [--ops own]

It may be run again at any time: after an interruption it goes on, in a complete environment it
installs nothing. `--ops compiled` compiles mmcv, for those who need more of its operators than
mmrdn.ops has.

A `torch>=2.4` that is there already is kept: that of the environment, or that of the interpreter
which runs this script (a new environment then sees its packages). Otherwise the torch of
requirements/constraints.txt is installed.
"""

import argparse
import fcntl
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / 'requirements'
COMPILED = dict(onedl='onedl-mmcv', openmmlab='mmcv')  # mmcv as source, by stack
HEARTBEAT = 30  # seconds between two signs of life of a running step
# Variables that lead pip astray.
ASTRAY = ('PYTHONPATH', 'PYTHONHOME', 'PIP_USER', 'PIP_TARGET', 'PIP_PREFIX', 'PIP_CONSTRAINT', 'PIP_REQUIREMENT')
ENVIRON = {k: v for k, v in os.environ.items() if k not in ASTRAY} | dict(PYTHONNOUSERSITE='1', PIP_NO_INPUT='1')
# Names and versions of what an interpreter can import, those of the environment itself, and its paths.
LOOK = """import importlib.metadata as m, json, sys, sysconfig
here, name = sysconfig.get_path('purelib'), lambda d: d.metadata['Name'].lower().replace('_', '-')
found = [d for d in m.distributions() if d.metadata and d.metadata['Name']]  # a killed pip leaves nameless ones
print(json.dumps(dict(
    versions={name(d): d.version for d in reversed(found)},
    own=[name(d) for d in found if str(d.locate_file('')) == here],
    here=here, paths=[p for p in sys.path if p.endswith('-packages')], python='%d.%d' % sys.version_info[:2])))"""
# Operators through mmcv, and every package of the family.
CHECK = """import torch, mmrdn, mmcv, mmengine, mmdet, mmtrack, mmcls, mim, cv2, av
from mmcv.ops import nms, roi_align
boxes = torch.tensor([[0, 0, 10, 10], [0, 0, 10, 9], [20, 20, 30, 30.0]])
assert nms(boxes, torch.tensor([0.9, 0.8, 0.7]), 0.5)[1].tolist() == [0, 2], 'mmcv.ops.nms is wrong'
assert roi_align(torch.ones(1, 1, 4, 4), torch.tensor([[0, 0, 0, 4, 4.0]]), 1) == 1, 'mmcv.ops.roi_align is wrong'
print(', '.join(f'{x.__name__} {x.__version__}' for x in (torch, mmcv, mmengine, mmdet, mmtrack, mmrdn)))"""


def look_into(python):
    """What LOOK says of an interpreter; nothing at all where it is missing or does not run."""
    try:
        done = subprocess.run([python, '-c', LOOK], cwd=ROOT / 'docs', env=ENVIRON, capture_output=True, text=True)
        return json.loads(done.stdout)
    except (OSError, ValueError):
        return dict(versions={}, own=[], here='', paths=[], python='')


def listed(*names):
    """Names of the packages that requirements/<name>.txt lists."""
    return [
        found for name in names for found in re.findall(r'(?m)^[\w.-]+', (REQUIREMENTS / f'{name}.txt').read_text())
    ]


def kept_torch(versions):
    """The version of a torch that is there and new enough, or None."""
    found = versions.get('torch')
    return found if found and [int(n) for n in re.findall(r'\d+', found)[:2]] >= [2, 4] else None


def constraints(versions):
    """Our constraints, with the torch that is kept."""
    text, torch = (REQUIREMENTS / 'constraints.txt').read_text(), kept_torch(versions)
    return re.sub(r'(?m)^torch==.*$', f'torch=={torch}', text) if torch else text


def run(title, command, log):
    """Run a step, its output to the log, with a sign of life; end with one line if it fails."""
    print(f'[setup] {title}', flush=True)
    start = time.monotonic()
    with open(log, 'a') as file:
        print(f'$ {" ".join(map(str, command))}', file=file, flush=True)
        process = subprocess.Popen(command, cwd=ROOT, env=ENVIRON, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        while True:
            try:
                process.wait(HEARTBEAT)
                break
            except subprocess.TimeoutExpired:
                print(f'        {time.monotonic() - start:.0f} s', flush=True)
    lines = Path(log).read_text(errors='replace').splitlines()
    if process.returncode:
        print('\n'.join(f'      | {line[:160]}' for line in lines[-12:]))
        sys.exit(f'error: "{title}" failed; log: {log}; after mending the cause run `make setup` again: it goes on')
    return lines[-1]


def steps(python, stack, ops, found):
    """Titles and commands that install everything, in order."""
    pip = [python, '-m', 'pip', 'install', '-c', python.parents[1] / 'mmrdn-setup' / 'constraints.txt']
    files = [word for name in ('runtime', 'tests', 'web') for word in ('-r', REQUIREMENTS / f'{name}.txt')]
    mmcv = 'mmcv-lite' if ops == 'own' else COMPILED[stack]
    unwanted = {'mmcv-lite', *COMPILED.values()} - {mmcv}
    yield 'install torch and the other dependencies', [*pip, 'pip', 'setuptools', *files]
    if unwanted & set(found['own']):  # each provides the module mmcv
        yield 'remove the other mmcv', [python, '-m', 'pip', 'uninstall', '-y', *sorted(unwanted & set(found['own']))]
    # Their own requirements name an mmcv to compile and pandas of 2021. opencv-python, which others ask for by name,
    # writes the same directory as the headless one and needs libGL: the last one installed wins.
    family = [x for x in listed(f'stacks/{stack}', 'mminstall_nodeps') if x != 'mmcv-lite'] + ['opencv-python-headless']
    family += ['mmcv-lite'] if ops == 'own' else []
    yield 'install mmcv, mmengine, mmdet, mmtrack and mim', [*pip, '--no-deps', '--force-reinstall', *family]
    if ops == 'compiled':
        yield 'install build tools', [*pip, 'ninja', 'psutil', 'wheel']
        # Under build isolation pip would build without torch, and so without the compiled operators.
        compile_mmcv = [*pip, '--no-deps', '--no-build-isolation', mmcv]
        yield 'compile mmcv (ten minutes or more; needs g++ and python3-dev)', compile_mmcv
    yield 'install mmrdn, editable', [*pip, '--no-deps', '--no-build-isolation', '-e', ROOT]
    yield 'check the whole', [python, '-c', CHECK]


def main():
    """Install what is missing."""
    stacks = sorted(path.stem for path in (REQUIREMENTS / 'stacks').glob('*.txt'))
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--stack', default='onedl', choices=stacks)
    parser.add_argument('--ops', default='own', choices=('own', 'compiled'))
    parser.add_argument('--venv', default=ROOT / '.venv', type=Path)
    args = parser.parse_args()
    venv, wanted = args.venv.absolute(), listed(f'stacks/{args.stack}', 'mminstall_nodeps', 'runtime', 'tests', 'web')
    python, state, found = venv / 'bin' / 'python', venv / 'mmrdn-setup', look_into(venv / 'bin' / 'python')
    others = {x for name in stacks for x in listed(f'stacks/{name}')} - set(wanted)
    if others & set(found['own']):
        names = ', '.join(sorted(others & set(found['own'])))
        sys.exit(f'error: {venv} has {names}, which STACK={args.stack} would overwrite: choose another VENV= or STACK=')
    if found['python'] and found['python'] != '%d.%d' % sys.version_info[:2]:
        sys.exit(f'error: {venv} has Python {found["python"]}: choose it by PYTHON=, or another VENV=')
    state.mkdir(parents=True, exist_ok=True)
    with open(state / 'lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two `make` at once take turns
        found = look_into(python)
        inputs = [*sorted(REQUIREMENTS.rglob('*.txt')), ROOT / 'pyproject.toml', ROOT / 'setup.py', Path(__file__)]
        key = args.stack + args.ops + hashlib.sha256(b'\0'.join(x.read_bytes() for x in inputs)).hexdigest()
        stamp, log = state / 'complete', state / 'log.txt'
        if stamp.exists() and stamp.read_text() == key and {*wanted, 'mmrdn'} - {'mmcv-lite'} <= set(found['versions']):
            print(f'[setup] {venv} is complete, nothing to install')
            return
        stamp.unlink(missing_ok=True)
        log.write_text('')
        if 'pip' not in found['own']:
            run('create the virtual environment', [sys.executable, '-m', 'venv', venv], log)
            parent, here = look_into(sys.executable), Path(look_into(python)['here'])
            if kept_torch(parent['versions']):
                # Unlike --system-site-packages, this works where the parent is a virtual environment too.
                (here / 'mmrdn_parent.pth').write_text('\n'.join(parent['paths']) + '\n')
            found = look_into(python)
        if 'torch' in found['versions'] and not kept_torch(found['versions']):
            sys.exit(f'error: {venv} has torch {found["versions"]["torch"]}, expected >=2.4: upgrade or uninstall it')
        (state / 'constraints.txt').write_text(constraints(found['versions']))
        for title, command in steps(python, args.stack, args.ops, found):
            last = run(title, command, log)
        print(f'[setup] complete: {last}')
        stamp.write_text(key)


if __name__ == '__main__':
    try:
        main()
    except KeyboardInterrupt:
        sys.exit('interrupted; `make setup` goes on')
