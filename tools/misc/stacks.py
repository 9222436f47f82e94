# Copyright (c) mmrdn contributors. All rights reserved.
"""The stacks: who provides the modules mmcv, mmengine and mmdet."""

import re
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parents[2] / 'requirements'
DEFAULT = 'onedl'


def listed(path):
    """Names of the distributions in a requirements file."""
    return re.findall(r'(?m)^[\w-]+', path.read_text())


class Stack:
    """The distributions that requirements/stacks/<name>.txt lists.

    Args:
        name (str): Name of the stack, such as 'onedl'.

    Raises:
        ValueError: There is no such file.
    """

    def __init__(self, name=DEFAULT):
        files = {path.stem: path for path in sorted((REQUIREMENTS / 'stacks').glob('*.txt'))}
        if name not in files:
            raise ValueError(f'no stack {name!r}, expected STACK={" or STACK=".join(files)}')
        self.name = name
        self.requirements = files[name]
        self.distributions = listed(self.requirements)
        # Distributions that only other stacks list.
        self.foreign = sorted({x for path in files.values() for x in listed(path)} - set(self.distributions))

    def distribution(self, module):
        """Return the distribution that provides ``module``, 'mmcv' or 'mmengine'."""
        return next(x for x in self.distributions if x.endswith(module))
