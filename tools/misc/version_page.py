# Copyright (c) mmrdn contributors. All rights reserved.
"""The rows and the page of the version matrix, see version_matrix.py."""

import re
from pathlib import Path

from stacks import Stack

ROOT = Path(__file__).resolve().parents[2]
ALL_TESTS = ['tests']
MARK = '<!-- Written by tools/misc/version_matrix.py. Do not edit. -->'
MODULES = ('torch', 'numpy', 'mmcv', 'mmengine', 'mmdet', 'mmtrack')
TITLES = ('Outcome', 'Tests', 'Passed', 'Failed', 'Skipped', 'Date', 'Commit', 'Python', *MODULES)
HEAD = f"""# Versions

{MARK}

Which versions mmrdn was tested with: `tools/misc/version_matrix.py` finds the
versions in an environment, runs the tests there and writes the outcome.
"""
FOOT = r"""
## Run it

Each `--env` names an environment of this page and its interpreter, which has
mmrdn (editable), and replaces what stands there:

```shell
python tools/misc/version_matrix.py --env onedl=.venv/bin/python \
    --env openmmlab=.venv-openmmlab/bin/python
```

`versions.json`, beside this page, holds more of each run: names of tests that
failed, reasons of tests that were skipped, seconds.
"""


def pinned(name):
    """The version of a package in requirements/constraints.txt."""
    text = (ROOT / 'requirements' / 'constraints.txt').read_text()
    return re.search(rf'(?m)^{name}==([^\s;]+)', text).group(1)


class Row:
    """An environment that the page speaks of, whether it was tested or not.

    Args:
        name (str): What ``--env`` calls it.
        how (str): How to make such an environment.
        wants (dict): {distribution: version} that it must have; a version may begin with '>'.
    """

    def __init__(self, name, how, wants):
        self.name = name
        self.how = how
        self.wants = wants

    @classmethod
    def of_stack(cls, name, how):
        """A stack in its pinned versions."""
        wants = {x: pinned(x) for x in Stack(name).distributions}
        wants.pop('onedl-mim')  # provides no module that mmrdn imports
        return cls(name, how, wants)

    def check(self, found):
        """Raise a ValueError if this is another kind of environment."""
        versions = dict(found['packages'].values())
        for name, wanted in self.wants.items():
            version = versions.get(name)
            if version is None or not _fits(version, wanted):
                raise ValueError(f'env {self.name}: expected {name} {wanted}, found {version or "none"}')


ROWS = (
    Row.of_stack('onedl', 'the default, `make setup`'),
    Row.of_stack('openmmlab', 'the original distributions, `make setup STACK=openmmlab`'),
    Row(
        'newest-torch',
        'the newest torch when the page was written, see [a newer torch](get_started.md#a-newer-torch)',
        {'torch': f'>{pinned("torch")}'},
    ),
    Row(
        'mmdet-3.0.0rc5',
        'the mmdet that mmtrack 1.0.0rc1 was released for, '
        'with an mmcv below 2.1, which it asserts: to be set up by hand',
        {'mmdet': '3.0.0rc5'},
    ),
)


def _fits(version, wanted):
    if not wanted.startswith('>'):
        return version == wanted

    def numbers(text):
        return [int(n) for n in re.findall(r'\d+', text.split('+')[0])]

    return numbers(version) > numbers(wanted)


def cells(result):
    """{title: cell} of an environment that was tested."""
    whole = result['tests'] == ALL_TESTS
    outcome = 'failed' if result['failed'] else 'passed'
    packages = {
        module: version if name == module else f'{name} {version}'
        for module, (name, version) in result['packages'].items()
    }
    return {
        'Outcome': outcome if whole else f'{outcome}, only a part',
        'Tests': 'all' if whole else f'`{" ".join(result["tests"])}`',
        'Passed': result['passed'],
        'Failed': result['failed'],
        'Skipped': result['skipped'],
        'Date': result['date'],
        'Commit': result['commit'],
        'Python': result['python'],
        **{module: packages.get(module, '-') for module in MODULES},
    }


def render(record):
    """The page.

    Args:
        record (dict): {name of a row: its result}; rows may be missing.
    """
    columns = [cells(record[row.name]) if row.name in record else {'Outcome': 'not tested'} for row in ROWS]
    lines = [HEAD, line('', [row.name for row in ROWS])]
    lines.append(line('---', ['---'] * len(ROWS)))
    for title in TITLES:
        lines.append(line(title, [x.get(title, '-') for x in columns]))
    lines.append('')
    for row in ROWS:
        lines.append(f'- {row.name}: {row.how}.')
        result = record.get(row.name)
        if result:
            lines.append(f'  `{result["command"]}` on {result["system"]}, {result["device"]}.')
            lines += [f'  Failed: `{test}`.' for test in result['failures']]
    return '\n'.join(lines) + '\n' + FOOT


def line(title, values):
    """A line of the table."""
    return f'| {" | ".join(map(str, [title, *values]))} |'
