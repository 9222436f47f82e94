# Copyright (c) mmrdn contributors. All rights reserved.
"""Run the tests in environments of different versions; write the results.

    python tools/misc/version_matrix.py --env onedl=.venv/bin/python \
        --env openmmlab=.venv-openmmlab/bin/python --out docs/versions.md

The table of the page, between two marks, and beside it the record that it is made of
(versions.json) are written by this script alone. Each --env replaces one row; rows that nobody ran
say so. Without --env, the table is rebuilt from the record. Standard library only. Exits with 1
if a test failed.
"""

import argparse
import collections
import datetime
import json
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from setup_env import COMPILED, REQUIREMENTS, ROOT, listed

ALL_TESTS = ['tests']
DOCS_PAGE = ROOT / 'docs' / 'versions.md'  # what stands around the table is that of this page
BEGIN, END = (f'<!-- {word} of the table that tools/misc/version_matrix.py writes -->' for word in ('Begin', 'End'))
MODULES = ('torch', 'numpy', 'mmcv', 'mmengine', 'mmdet', 'mmtrack')
TITLES = ('Outcome', 'Tests', 'Passed', 'Failed', 'Skipped', 'Date', 'Commit', 'Python', *MODULES)
# Without what changes the tests.
ENVIRON = {k: v for k, v in os.environ.items() if k not in ('PYTHONPATH', 'PYTHONHOME', 'PYTEST_ADDOPTS')}
PINS = dict(re.findall(r'(?m)^([\w-]+)==([^\s;]+)', (REQUIREMENTS / 'constraints.txt').read_text()))


def stack_versions(name, ops='own'):
    """{distribution: version} of a stack, less mim, which provides no module that mmrdn imports."""
    names = [x for x in listed(f'stacks/{name}') if x != 'onedl-mim']
    return {x: PINS[x] for x in [COMPILED[name] if ops == 'compiled' and x == 'mmcv-lite' else x for x in names]}


# {environment: (how to make it, {distribution: version that it must have})}; a version may begin
# with '>'.
ROWS = {
    'onedl': ('the default, `make setup`', stack_versions('onedl')),
    'openmmlab': ('the original distributions, `make setup STACK=openmmlab`', stack_versions('openmmlab')),
    'compiled': ('mmcv compiled from source, `make setup OPS=compiled`', stack_versions('onedl', 'compiled')),
    'newest-torch': ('the newest torch when the page was written', {'torch': f'>{PINS["torch"]}'}),
    'oldest-torch': ('the oldest torch that is supported', {'torch': '2.4.1'}),
    'mmdet-3.0.0rc5': (
        'the mmdet that mmtrack 1.0.0rc1 was released for, with an mmcv below 2.1, which it asserts: set up by hand',
        {'mmdet': '3.0.0rc5'},
    ),
}


def look_into(name, python):
    """Return the output of print_versions.py for an interpreter."""
    command = [python, Path(__file__).with_name('print_versions.py')]
    try:
        done = subprocess.run(command, env=ENVIRON, capture_output=True, text=True)
        found = json.loads(done.stdout.splitlines()[-1])
    except OSError as error:
        raise ValueError(f'env {name}: no interpreter {python} ({error.strerror})')
    except (IndexError, ValueError):
        why = (done.stderr.strip().splitlines() or ['it printed nothing'])[-1]
        raise ValueError(f'env {name}: {python} has no mmrdn that works: {why.removeprefix("error: ")}') from None
    package = Path(found.pop('mmrdn'))
    if package.resolve() != ROOT / 'mmrdn':
        raise ValueError(f'env {name}: {python} has the mmrdn of {package.parent}, expected that of {ROOT}')
    return found


def check_versions(name, found):
    """Raise a ValueError if this is another kind of environment than the row's."""

    def numbers(version):
        return [int(n) for n in re.findall(r'\d+', version.split('+')[0])]

    versions = dict(found['packages'].values())
    for package, wanted in ROWS[name][1].items():
        version = versions.get(package, 'none')
        if numbers(version) <= numbers(wanted) if wanted.startswith('>') else numbers(version) != numbers(wanted):
            raise ValueError(f'env {name}: expected {package} {wanted}, found {version}')


def commit():
    """The commit that is tested, with '-dirty' if code differs from it."""
    commands = (['rev-parse', '--short=12', 'HEAD'], ['status', '--porcelain', '-uno', '--', ':!docs'])
    head, status = (subprocess.run(['git', *x], cwd=ROOT, capture_output=True, text=True) for x in commands)
    if head.returncode or status.returncode:
        return 'unknown'
    return head.stdout.strip() + ('-dirty' if status.stdout else '')


def run_tests(name, python, tests):
    """Run pytest and return counts and names out of its JUnit XML."""
    command = ['-m', 'pytest', *tests]
    options = '-q -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder'.split()
    options += '--continue-on-collection-errors -p no:cacheprovider -o junit_family=xunit1'.split()
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / 'report.xml'
        done = subprocess.run([python, *command, *options, f'--junitxml={report}'], cwd=ROOT, env=ENVIRON)
        if done.returncode not in (0, 1):  # 1: some test failed
            raise ValueError(f'env {name}: pytest ended with status {done.returncode}, see above')
        cases = list(ElementTree.parse(report).iter('testcase'))
    failed = [x for x in cases if x.find('failure') is not None or x.find('error') is not None]
    skipped = [x for x in cases if x.find('skipped') is not None and x not in failed]
    reasons = (x.find('skipped').get('message', '').replace(f'{ROOT}/', '') for x in skipped)
    return dict(
        command=' '.join(['python', *command]),
        tests=tests,
        passed=len(cases) - len(failed) - len(skipped),
        failed=len(failed),
        skipped=len(skipped),
        failures=[f'{x.get("file", x.get("classname"))}::{x.get("name")}' for x in failed],
        skips=dict(collections.Counter(reasons)),
        seconds=round(sum(float(x.get('time', 0)) for x in cases)),
    )


def read_record(path):
    """Return the results of earlier runs by row."""
    if not path.exists():
        return {}
    try:
        record = json.loads(path.read_text())
        if unknown := sorted(set(record) - set(ROWS)):
            raise ValueError(f'unknown rows {unknown}')
        render(record)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        reason = f'no field {error}' if isinstance(error, KeyError) else error
        raise ValueError(f'{path} is damaged: {reason}') from None
    return record


def cells(result):
    """{title: cell} of an environment that was tested."""
    whole = result['tests'] == ALL_TESTS
    return {
        **{title: result[title.lower()] for title in ('Passed', 'Failed', 'Skipped', 'Date', 'Commit', 'Python')},
        'Outcome': ('failed' if result['failed'] else 'passed') + ('' if whole else ', only a part'),
        'Tests': 'all' if whole else f'`{" ".join(result["tests"])}`',
        **{x: version if name == x else f'{name} {version}' for x, (name, version) in result['packages'].items()},
    }


def render(record):
    """Return the page of {name of a row: its result}; rows may be missing."""
    columns = [cells(record[name]) if name in record else {'Outcome': 'not tested'} for name in ROWS]
    table = [['', *ROWS], ['---'] * (len(ROWS) + 1)]
    table += [[title, *(x.get(title, '-') for x in columns)] for title in TITLES]
    lines = [f'| {" | ".join(map(str, row))} |' for row in table] + ['']
    for name, (how, _) in ROWS.items():
        lines.append(f'- {name}: {how}.')
        if name in record:
            result = record[name]
            lines.append(f'  `{result["command"]}` on {result["system"]}, {result["device"]}.')
            lines += [f'  Failed: `{test}`.' for test in result['failures']]
    before, _, rest = DOCS_PAGE.read_text().partition(BEGIN)
    return '\n'.join([before + BEGIN, '', *lines, '', END]) + rest.partition(END)[2]


def write(page, record):
    """Write the record and its page, each at once or not at all."""
    for path, text in ((page.with_suffix('.json'), json.dumps(record, indent=2) + '\n'), (page, render(record))):
        temporary = path.with_name(f'.{path.name}.tmp')
        temporary.write_text(text)
        os.replace(temporary, path)


def parse_args():
    """Read the command line; ``env`` becomes [(row, interpreter)]."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    rows = f'a row to make and its interpreter; rows: {", ".join(ROWS)}'
    parser.add_argument('--env', action='append', default=[], metavar='NAME=PYTHON', help=rows)
    tests = 'arguments of pytest; the page names them, if it is not all'
    parser.add_argument('--tests', nargs='+', default=ALL_TESTS, help=tests)
    parser.add_argument('--out', type=Path, default=DOCS_PAGE, help='page to write')
    args = parser.parse_args()
    for i, text in enumerate(args.env):
        name, equals, python = text.partition('=')
        if not equals or name not in ROWS:
            raise ValueError(f'--env {text}: expected NAME=PYTHON, where NAME is one of {", ".join(ROWS)}')
        # Not resolved: a link in a virtual environment is that environment.
        args.env[i] = name, os.path.abspath(python) if os.sep in python else python
    return args


def main():
    """Look into all environments first, then test one after another."""
    args = parse_args()
    if args.out.exists() and BEGIN not in args.out.read_text():
        raise ValueError(f'{args.out} was not written by this script')
    record = read_record(args.out.with_suffix('.json'))
    found = [look_into(name, python) for name, python in args.env]
    for (name, _), versions in zip(args.env, found):
        check_versions(name, versions)
    failed, tested = 0, commit()
    for (name, python), versions in zip(args.env, found):
        result = run_tests(name, python, args.tests)
        # Read again: another run may have filled other rows meanwhile.
        record = read_record(args.out.with_suffix('.json'))
        record[name] = dict(date=datetime.date.today().isoformat(), commit=tested) | versions | result
        failed += result['failed']
        print(f'{name}: {result["passed"]} passed, {result["failed"]} failed, {result["skipped"]} skipped')
        write(args.out, record)  # the next row may take another ten minutes
    if not args.env:
        write(args.out, record)
    return int(failed > 0)


if __name__ == '__main__':
    try:
        sys.exit(main())
    except ValueError as error:
        sys.exit(f'error: {error}')
    except KeyboardInterrupt:
        sys.exit('interrupted; rows that were complete are written')
