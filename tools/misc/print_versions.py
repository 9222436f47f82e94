# Copyright (c) mmrdn contributors. All rights reserved.
"""Print which versions the running interpreter's environment has, as JSON.

    .venv/bin/python tools/misc/print_versions.py

`packages` are the distributions that provide the modules; `mmrdn` is the directory that the package
is imported from. Worth pasting into a bug report.
"""

import argparse
import contextlib
import importlib.metadata
import io
import json
import platform
import sys
from pathlib import Path

MODULES = ('torch', 'numpy', 'mmcv', 'mmengine', 'mmdet', 'mmtrack', 'mmcls')

if __name__ == '__main__':
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            import torch

            import mmrdn
    except ImportError as error:
        sys.exit(f'error: {" ".join(str(error).split())}')
    providers = importlib.metadata.packages_distributions()  # the first on sys.path comes first
    names = {module: providers[module][0] for module in MODULES if module in providers}
    packages = {module: [name, importlib.metadata.version(name)] for module, name in names.items()}
    packages['torch'] = ['torch', torch.__version__]  # with its build: +cpu
    found = dict(
        python=platform.python_version(),
        system=f'{platform.system()} {platform.machine()}',
        device=torch.cuda.get_device_name() if torch.cuda.is_available() else 'CPU',
        packages=packages,
        mmrdn=str(Path(mmrdn.__file__).parent),
    )
    print(json.dumps(found))
