# Copyright (c) mmrdn contributors. All rights reserved.
"""Check that the running interpreter's environment is complete.

    .venv/bin/python tools/misc/check_env.py [quick|ops|others|all] [STACK]

`quick` imports nothing heavy; `ops` runs one of mmcv's compiled ops; `others` names what other
stacks have installed there; `all` imports every part, prints the versions and looks at `pip check`.
Exits non-zero and names what is wrong in one line.
"""

import contextlib
import importlib.metadata
import importlib.util
import io
import re
import subprocess
import sys
import sysconfig
import warnings
from pathlib import Path

from stacks import REQUIREMENTS, Stack, listed

# mmrdn before mmtrack and mmcls: these need its shims to be imported.
MODULES = 'torch mmcv mmengine mmdet mim mmrdn mmtrack mmcls cv2 av scipy sklearn matplotlib rich'.split()
# Installed with --no-deps, as the versions that they pin no longer install.
OLD_PINS = r'(mmtrack|mmcls) '


def is_installed(name):
    """Whether there is a distribution of that name."""
    try:
        return bool(importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return False


def check_quick(stack):
    """Every package is installed and mmcv has its compiled ops."""
    files = ('build', 'runtime', 'tests', 'web', 'mminstall_nodeps')
    packages = [name for file in files for name in listed(REQUIREMENTS / f'{file}.txt')]
    for name in (*stack.distributions, *packages, 'mmrdn'):
        if not is_installed(name):
            sys.exit(f'error: {name} is not installed')
    for name in MODULES:
        if importlib.util.find_spec(name) is None:
            sys.exit(f'error: {name} is installed, but has no module {name}')
    mmcv = Path(importlib.util.find_spec('mmcv').origin).parent
    if not list(mmcv.glob('_ext.*')):
        sys.exit('error: mmcv was built without its compiled ops')


def check_others(stack):
    """Print what other stacks have installed into this environment itself.

    It would be overwritten: one directory holds one `mmcv`.
    """
    here = Path(sysconfig.get_path('purelib'))
    found = [x for x in stack.foreign if is_installed(x)]
    print(', '.join(x for x in found if Path(importlib.metadata.distribution(x).locate_file('')) == here))


def check_ops(stack):
    """NMS of the stack's mmcv works on the CPU."""
    if not is_installed(stack.distribution('mmcv')):
        sys.exit(f'error: {stack.distribution("mmcv")} is not installed')
    try:
        import torch
        from mmcv.ops import nms
    except ImportError as error:
        sys.exit(f'error: mmcv.ops cannot be imported: {error}')
    boxes = torch.tensor([[0, 0, 10, 10], [0, 0, 10, 9], [20, 20, 30, 30.0]])
    kept = nms(boxes, torch.tensor([0.9, 0.8, 0.7]), 0.5)[1].tolist()
    if kept != [0, 2]:
        sys.exit(f'error: mmcv.ops.nms kept boxes {kept}, expected [0, 2]')


def check_imports(stack):
    """Every module can be imported; print their versions."""
    warnings.simplefilter('ignore')
    versions = []
    for name in MODULES:
        try:
            # mim and mmdet print hints about optional packages
            with contextlib.redirect_stdout(io.StringIO()):
                module = importlib.import_module(name)
        except ImportError as error:
            sys.exit(f'error: {name} cannot be imported: {error}')
        versions.append(f'{name} {getattr(module, "__version__", "")}'.strip())
    print(', '.join(versions))


def check_pip(stack):
    """`pip check` complains of nothing but the old pins."""
    done = subprocess.run([sys.executable, '-m', 'pip', 'check'], capture_output=True, text=True)
    lines = done.stdout.splitlines() if done.returncode else []
    expected = [line for line in lines if re.match(OLD_PINS, line)]
    pinned = listed(REQUIREMENTS / 'constraints.txt')
    for line in lines:
        print(f'pip check: {line}' + ' (expected)' * (line in expected))
    for line in lines:
        # Packages that the environment had before are not ours to judge.
        if line.split()[0] in pinned and line not in expected:
            sys.exit(f'error: pip check: {line}')


CHECKS = dict(
    quick=[check_quick], ops=[check_ops], others=[check_others], all=[check_quick, check_ops, check_imports, check_pip]
)

if __name__ == '__main__':
    mode = sys.argv[1] if len(sys.argv) > 1 else 'all'
    if mode not in CHECKS:
        sys.exit(f'error: expected one of {list(CHECKS)}, got {mode!r}')
    try:
        stack = Stack(*sys.argv[2:3])
    except ValueError as error:
        sys.exit(f'error: {error}')
    for check in CHECKS[mode]:
        check(stack)
