# Copyright (c) mmrdn contributors. All rights reserved.
"""Set up one virtual environment with all that mmrdn needs.

Run by `make setup`. Standard library only, Python >= 3.10.

    python3 tools/misc/setup_env.py [--stack onedl] [--venv .venv]

Which mmcv, mmengine and mmdet: those of requirements/stacks/<stack>.txt. Each stack needs an
environment of its own, as both provide the same modules.

Each step leaves a stamp in the environment, so that a failed or interrupted set-up goes on where it
stopped and a complete one installs nothing.

Which torch: one `torch>=2.4` that the chosen environment already has is kept. That is the
environment given by `--venv`, if it exists, or else the one of the interpreter that runs this
script: a new environment then sees the packages of that one. Otherwise the torch of
requirements/constraints.txt is installed.
"""

import argparse
import fcntl
import hashlib
import importlib.metadata
import os
import re
import shutil
import site
import subprocess
import sys
import time
from pathlib import Path

import stacks
from stacks import REQUIREMENTS

PYTHON = '.'.join(map(str, sys.version_info[:2]))
ROOT = REQUIREMENTS.parent
MIN_TORCH = (2, 4)
HEARTBEAT = 30  # seconds between two signs of life of a running step
CHECK = ROOT / 'tools' / 'misc' / 'check_env.py'
# What the set-up depends on: a change of one of these repeats it.
INPUTS = [*sorted(REQUIREMENTS.glob('*.txt')), ROOT / 'setup.py', ROOT / 'pyproject.toml', CHECK]
INPUTS += [Path(stacks.__file__), Path(__file__).resolve()]
PRINT_TORCH = 'import importlib.metadata as m; print(m.version("torch"))'
PRINT_SITE = 'import sysconfig; print(sysconfig.get_path("purelib"))'
FIND_HEADER = 'import os, sysconfig; os.stat(sysconfig.get_path("include") + "/Python.h")'
# Variables that lead pip astray.
ASTRAY = ('PYTHONPATH', 'PYTHONHOME', 'PIP_USER', 'PIP_TARGET', 'PIP_PREFIX', 'PIP_CONSTRAINT', 'PIP_REQUIREMENT')
ENVIRON = {k: v for k, v in os.environ.items() if k not in ASTRAY} | dict(PYTHONNOUSERSITE='1', PIP_NO_INPUT='1')


class StepError(Exception):
    """A step that failed; the message says why, in one line."""


class Environment:
    """A virtual environment and what is run in it."""

    def __init__(self, path, stack=stacks.DEFAULT):
        self.stack = stacks.Stack(stack)
        self.path = Path(path).absolute()
        self.python = self.path / 'bin' / 'python'
        self.state = self.path / 'mmrdn-setup'
        self.log = None  # file that the running step writes to

    def run(self, command, patience='still running'):
        """Run a command, its output to the log, with a sign of life.

        Raises:
            StepError: The command failed.
        """
        text = ' '.join(map(str, command))
        start = beat = time.monotonic()
        with open(self.log, 'a') as log:
            print(f'$ {text}', file=log, flush=True)
            process = subprocess.Popen(
                command, cwd=ROOT, env=ENVIRON, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
            while process.poll() is None:
                time.sleep(0.1)
                if time.monotonic() - beat >= HEARTBEAT:
                    beat = time.monotonic()
                    say(f'      {patience}: {duration(beat - start)}{compiled(self.log)}')
        if process.returncode:
            raise StepError(f'exit code {process.returncode} of `{text[:90]}`')

    def install(self, *args, **kwargs):
        """Run `pip install` with our constraints."""
        self.run([self.python, '-m', 'pip', 'install', *args, '-c', self.constraints()], **kwargs)

    def check(self, mode):
        """The command that checks the environment, see check_env.py."""
        return [self.python, CHECK, mode, self.stack.name]

    def passes(self, mode):
        """Whether a check passes; False also without an environment."""
        return self.output(*self.check(mode)[1:]) is not None

    def output(self, *args):
        """What the environment's interpreter prints; None if it fails."""
        if not self.python.exists():
            return None
        done = subprocess.run([self.python, *args], cwd=self.path, env=ENVIRON, capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else None

    def constraints(self):
        """Our constraints, with the torch that the environment has."""
        torch = self.output('-c', PRINT_TORCH)
        text = (REQUIREMENTS / 'constraints.txt').read_text()
        if torch and version_tuple(torch) >= MIN_TORCH:
            text = re.sub(r'(?m)^torch==.*$', f'torch=={torch}', text)
        path = self.state / 'constraints.txt'
        path.write_text(text)
        return path


def say(text):
    print(text, flush=True)


def duration(seconds):
    return f'{int(seconds) // 60}:{int(seconds) % 60:02d} min'


def compiled(log):
    """', k of n files compiled' if ninja wrote so into the log."""
    progress = re.findall(r'(?m)^\s*\[(\d+)/(\d+)\]', log.read_text(errors='replace'))
    return ', %s of %s files compiled' % progress[-1] if progress else ''


def version_tuple(version):
    return tuple(int(n) for n in re.findall(r'\d+', version)[:2])


# The steps, in order. Each takes the Environment; its docstring is its name.


def create(env):
    """create the virtual environment"""
    if env.output('-m', 'pip', '--version') is not None:
        return
    env.run([sys.executable, '-m', 'venv', env.path])
    (env.state / 'python').write_text(PYTHON)
    try:
        torch = importlib.metadata.distribution('torch')
    except importlib.metadata.PackageNotFoundError:
        return
    if version_tuple(torch.version) >= MIN_TORCH:
        say(f'      keeps torch {torch.version} of {sys.prefix}')
        # Unlike --system-site-packages, this also works where the running interpreter is itself one
        # of a virtual environment.
        parents = dict.fromkeys([str(torch.locate_file('')), *site.getsitepackages()])
        (Path(env.output('-c', PRINT_SITE)) / 'mmrdn_parent.pth').write_text('\n'.join(parents) + '\n')


def build_tools(env):
    """install torch and the build tools"""
    torch = env.output('-c', PRINT_TORCH)
    if torch and version_tuple(torch) < MIN_TORCH:
        raise StepError(f'the environment has torch {torch}, expected >=2.4: upgrade or uninstall it')
    env.install('-r', REQUIREMENTS / 'build.txt')


def dependencies(env):
    """install the dependencies"""
    files = [REQUIREMENTS / f'{name}.txt' for name in ('runtime', 'tests', 'web')]
    env.install(*(word for file in files for word in ('-r', file)))


def why_not_compiled(env):
    """What a machine or a torch lacks for mmcv; None if that is unknown."""
    if not any(map(shutil.which, (os.getenv('CXX', 'c++'), 'g++'))):
        return 'no C++ compiler found (Debian: g++)'
    if env.output('-c', FIND_HEADER) is None:
        return 'no Python.h found (Debian: python3-dev)'
    needed = re.search(r'#error (C\+\+\d+) or later', env.log.read_text(errors='replace'))
    return needed and (
        f'torch {env.output("-c", PRINT_TORCH)} needs {needed.group(1)}, this mmcv asks for an older '
        'C++: see "A newer torch" in docs/get_started.md'
    )


def mmcv(env):
    """build mmcv"""
    if env.passes('ops'):
        return
    say(
        '      mmcv comes as source; compiling it takes ten minutes or so on '
        'two cores\n      (seconds, where pip has it in its cache)'
    )
    env.install(env.stack.distribution('mmengine'))  # mmcv imports it
    # Under build isolation pip would build without torch, and so without the compiled ops. -v makes
    # ninja's counter appear in the log.
    build = ('-v', '--no-build-isolation', '--no-deps', env.stack.distribution('mmcv'))
    try:
        env.install(*build, patience='compiling mmcv')
    except StepError as error:
        raise StepError(why_not_compiled(env) or str(error)) from None
    if not env.passes('ops'):
        # pip's cache does not know which torch a wheel was compiled against.
        say('      the mmcv that pip had does not fit this torch: compiling')
        env.install('--force-reinstall', '--no-cache-dir', *build, patience='compiling mmcv')
    try:
        env.run(env.check('ops'))
    except StepError:
        raise StepError('mmcv was built, but its compiled ops do not work (`from mmcv.ops import nms`)') from None


def openmmlab(env):
    """install mmengine, mmdet, mim and mmtrack"""
    env.install('--no-build-isolation', '-r', env.stack.requirements)
    env.install('--no-build-isolation', '--no-deps', '-r', REQUIREMENTS / 'mminstall_nodeps.txt')
    if not (env.path / 'bin' / 'mim').exists():  # only the parent has it
        env.install('--ignore-installed', '--no-deps', 'onedl-mim')


def opencv(env):
    """put the headless opencv in front"""
    # opencv-python and opencv-python-headless write the same directory cv2, the last one installed
    # wins. A bare machine has no libGL, which the former needs, but imaug and mmcv ask for it by
    # name.
    env.install('--force-reinstall', '--no-deps', 'opencv-python-headless')


def package(env):
    """install mmrdn (editable)"""
    env.install('--no-deps', '--no-build-isolation', '-e', ROOT)


def check(env):
    """check the whole"""
    env.run(env.check('all'))
    for line in env.log.read_text().splitlines()[1:]:
        say(f'      {line}')


STEPS = (create, build_tools, dependencies, mmcv, openmmlab, opencv, package, check)


def set_up(env):
    """Do the steps that are not done yet; return the number of those done now."""
    inputs = b'\0'.join(path.read_bytes() for path in [*INPUTS, env.stack.requirements])
    key, done_now = hashlib.sha256(inputs).hexdigest()[:16], 0
    for number, step in enumerate(STEPS, 1):
        stamp = env.state / f'{number}-{step.__name__}.done'
        if stamp.exists() and stamp.read_text() == key:
            continue
        env.log = stamp.with_suffix('.log')
        env.log.write_bytes(b'')
        title = f'step {number}/{len(STEPS)} {step.__doc__!r}'
        say(f'[setup] {title}')
        start = time.monotonic()
        try:
            step(env)
        except StepError as error:
            tail = env.log.read_text(errors='replace').splitlines()[-12:]
            say('\n'.join(f'      | {x[:160]}' for x in tail))
            sys.exit(
                f'error: {title} failed: {error}; log: {env.log}; after mending the cause, '
                'run `make setup` again: it goes on with this step'
            )
        stamp.write_text(key)
        say(f'      done in {duration(time.monotonic() - start)}')
        done_now += 1
    return done_now


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--stack', default=stacks.DEFAULT)
    parser.add_argument('--venv', help='default: .venv, or .venv-STACK')
    args = parser.parse_args()
    default = '.venv' if args.stack == stacks.DEFAULT else f'.venv-{args.stack}'
    try:
        env = Environment(args.venv or ROOT / default, args.stack)
    except ValueError as error:
        sys.exit(f'error: {error}')
    others = env.output(*env.check('others')[1:])
    if others:
        sys.exit(
            f'error: {env.path} has {others}, which STACK={args.stack} would overwrite: choose another VENV= or STACK='
        )
    env.state.mkdir(parents=True, exist_ok=True)
    with open(env.state / 'lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two `make` at once take turns
        made_with = env.state / 'python'
        if made_with.exists() and made_with.read_text() != PYTHON:
            sys.exit(
                f'error: {env.path} was made with Python {made_with.read_text()}, PYTHON is {PYTHON}: '
                'remove it (`make distclean`) or choose another VENV='
            )
        stamps = list(env.state.glob('*.done'))
        if len(stamps) == len(STEPS) and not env.passes('quick'):
            say(f'[setup] {env.path} is not as it was left: repeating')
            for stamp in stamps:
                stamp.unlink()
        if not set_up(env):
            say(f'[setup] {env.path} is complete, nothing to install')


if __name__ == '__main__':
    try:
        main()
    except KeyboardInterrupt:
        sys.exit('interrupted; `make setup` goes on with the step it was at')
