# Copyright (c) mmrdn contributors. All rights reserved.
"""Print which versions the running interpreter's environment has, as JSON.

    .venv/bin/python tools/misc/print_versions.py

`packages` are the distributions that provide the modules; `mmrdn` is the folder that the package is
imported from. Worth pasting into a bug report.
"""

import contextlib
import importlib.metadata
import io
import json
import platform
import sys
from pathlib import Path

MODULES = ('torch', 'numpy', 'mmcv', 'mmengine', 'mmdet', 'mmtrack', 'mmcls')


def packages():
    """{module: [distribution that provides it, its version]}."""
    providers = importlib.metadata.packages_distributions()
    found = {}
    for module in MODULES:
        if module in providers:
            name = providers[module][0]  # the first on sys.path
            found[module] = [name, importlib.metadata.version(name)]
    return found


def main():
    """Import mmrdn, and with it all that it needs, and print."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            import torch

            import mmrdn
    except ImportError as error:
        sys.exit(f'error: {" ".join(str(error).split())}')
    found = packages()
    found['torch'] = ['torch', torch.__version__]  # with its build: +cpu
    device = 'CPU'
    if torch.cuda.is_available():
        device = torch.cuda.get_device_name()
    print(
        json.dumps(
            dict(
                python=platform.python_version(),
                system=f'{platform.system()} {platform.machine()}',
                device=device,
                packages=found,
                mmrdn=str(Path(mmrdn.__file__).parent),
            )
        )
    )


if __name__ == '__main__':
    main()
