# Copyright (c) mmrdn contributors. All rights reserved.
"""The stacks: who provides the modules mmcv, mmengine and mmdet."""

import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / 'requirements' / 'stacks'
DEFAULT = 'onedl'


class Stack:
    """The distributions that requirements/stacks/<name>.txt lists.

    Args:
        name (str): Such as 'onedl'.

    Raises:
        ValueError: If there is no such file.
    """

    def __init__(self, name=DEFAULT):
        names = sorted(path.stem for path in FOLDER.glob('*.txt'))
        if name not in names:
            raise ValueError(f'no stack {name!r}, expected STACK={" or STACK=".join(names)}')
        self.name = name
        self.requirements = FOLDER / f'{name}.txt'
        self.distributions = _listed(self.requirements)

    def distribution(self, module):
        """The one that provides ``module``, 'mmcv' or 'mmengine'."""
        return next(x for x in self.distributions if x.endswith(module))

    def foreign(self):
        """Names of distributions that only other stacks list."""
        everything = {x for path in FOLDER.glob('*.txt') for x in _listed(path)}
        return sorted(everything - set(self.distributions))


def _listed(path):
    return re.findall(r'(?m)^[\w-]+', path.read_text())
