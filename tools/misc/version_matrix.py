# Copyright (c) mmrdn contributors. All rights reserved.
"""Run the tests in environments of different versions; write what came of it.

    python tools/misc/version_matrix.py --env onedl=.venv/bin/python \
        --env openmmlab=.venv-openmmlab/bin/python --out docs/versions.md

The page and, beside it, the record that it is made of (versions.json) are written by this script
alone. Each --env replaces one row; rows that nobody ran say so. Without --env, the page is made
anew out of the record. Standard library only. Exits with 1 if a test failed.
"""

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from version_page import ALL_TESTS, MARK, ROOT, ROWS, render


def environ():
    """The environment variables, less those that change what is tested."""
    drop = ('PYTHONPATH', 'PYTHONHOME', 'PYTEST_ADDOPTS')
    return {k: v for k, v in os.environ.items() if k not in drop}


def look_into(name, python):
    """What print_versions.py says of an interpreter."""
    script = Path(__file__).with_name('print_versions.py')
    with tempfile.TemporaryDirectory() as folder:  # not where mmrdn lies
        try:
            done = subprocess.run([python, script], cwd=folder, env=environ(), capture_output=True, text=True)
        except OSError as error:
            raise ValueError(f'env {name}: no interpreter {python} ({error.strerror})')
    try:
        found = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        why = (done.stderr.strip().splitlines() or ['it printed nothing'])[-1]
        raise ValueError(f'env {name}: {python} has no mmrdn that works: {why.removeprefix("error: ")}') from None
    folder = Path(found.pop('mmrdn'))
    if folder.resolve() != ROOT / 'mmrdn':
        raise ValueError(f'env {name}: {python} has the mmrdn of {folder.parent}, expected that of {ROOT}')
    return found


def commit():
    """The commit that is tested, with '-dirty' if code differs from it."""
    done = [
        subprocess.run(['git', *command], cwd=ROOT, capture_output=True, text=True)
        for command in (['rev-parse', '--short=12', 'HEAD'], ['status', '--porcelain', '-uno', '--', ':!docs'])
    ]
    if any(x.returncode for x in done):
        return 'unknown'
    return done[0].stdout.strip() + ('-dirty' if done[1].stdout else '')


def run_tests(name, python, tests):
    """Run pytest; what came of it."""
    arguments = ['-m', 'pytest', *tests]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / 'report.xml'
        options = (
            '-q',
            '--continue-on-collection-errors',
            '-p',
            'no:cacheprovider',
            '-o',
            'junit_family=xunit1',
            f'--junitxml={report}',
        )
        done = subprocess.run([python, *arguments, *options], cwd=ROOT, env=environ())
        if done.returncode not in (0, 1):  # 1: some test failed
            raise ValueError(f'env {name}: pytest ended with status {done.returncode}, see above')
        outcome = read_report(report)
    return dict(command=' '.join(['python', *arguments]), tests=tests) | outcome


def read_report(path):
    """Counts and names out of pytest's JUnit XML."""
    outcome = dict(passed=0, failed=0, skipped=0, failures=[], skips={})
    seconds = 0.0
    for case in ElementTree.parse(path).iter('testcase'):
        seconds += float(case.get('time', 0))
        skip = case.find('skipped')
        if case.find('failure') is not None or case.find('error') is not None:
            outcome['failed'] += 1
            outcome['failures'].append(f'{case.get("file", case.get("classname"))}::{case.get("name")}')
        elif skip is not None:
            outcome['skipped'] += 1
            reason = skip.get('message', '').replace(f'{ROOT}/', '')
            outcome['skips'][reason] = outcome['skips'].get(reason, 0) + 1
        else:
            outcome['passed'] += 1
    return outcome | dict(seconds=round(seconds))


def read_record(path):
    """{row: what was found} of earlier runs."""
    try:
        record = json.loads(path.read_text())
        unknown = set(record) - {row.name for row in ROWS}
        if not unknown:
            render(record)
    except FileNotFoundError:
        return {}
    except KeyError as error:
        raise ValueError(f'{path} is damaged: no field {error}') from None
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f'{path} is damaged: {error}') from None
    if unknown:
        raise ValueError(f'{path} has unknown rows {sorted(unknown)}')
    return record


def write(page, record):
    """Write the record and its page, each at once or not at all."""
    for path, text in ((page.with_suffix('.json'), json.dumps(record, indent=2) + '\n'), (page, render(record))):
        temporary = path.with_name(f'.{path.name}.tmp')
        temporary.write_text(text)
        os.replace(temporary, path)


def parse_args():
    """Read the command line; [(row, interpreter)] besides."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument(
        '--env',
        action='append',
        default=[],
        metavar='NAME=PYTHON',
        help=f'a row to make and its interpreter; rows: {", ".join(row.name for row in ROWS)}',
    )
    parser.add_argument(
        '--tests', nargs='+', default=ALL_TESTS, help='what pytest is given; the page names it, if it is not all'
    )
    parser.add_argument('--out', type=Path, default=ROOT / 'docs' / 'versions.md')
    args = parser.parse_args()
    rows, chosen = {row.name: row for row in ROWS}, []
    for text in args.env:
        name, equals, python = text.partition('=')
        if not equals or name not in rows:
            raise ValueError(f'--env {text}: expected NAME=PYTHON, where NAME is one of {", ".join(rows)}')
        # Not resolved: a link in a virtual environment is that environment.
        python = os.path.abspath(python) if os.sep in python else python
        chosen.append((rows[name], python))
    return args, chosen


def main():
    """Look into all environments first, then test one after another."""
    args, chosen = parse_args()
    if args.out.exists() and MARK not in args.out.read_text():
        raise ValueError(f'{args.out} was not written by this script')
    record = read_record(args.out.with_suffix('.json'))
    found = [look_into(row.name, python) for row, python in chosen]
    for (row, _), versions in zip(chosen, found):
        row.check(versions)
    failed, tested = 0, commit()
    for (row, python), versions in zip(chosen, found):
        result = run_tests(row.name, python, args.tests)
        date = datetime.date.today().isoformat()
        # Read anew: another run may have filled other rows meanwhile.
        record = read_record(args.out.with_suffix('.json'))
        record[row.name] = dict(date=date, commit=tested) | versions | result
        failed += result['failed']
        print(f'{row.name}: {result["passed"]} passed, {result["failed"]} failed, {result["skipped"]} skipped')
        # After each row: the next one may take another ten minutes.
        write(args.out, record)
    if not chosen:
        write(args.out, record)
    return int(failed > 0)


if __name__ == '__main__':
    try:
        sys.exit(main())
    except ValueError as error:
        sys.exit(f'error: {error}')
    except KeyboardInterrupt:
        sys.exit('interrupted; rows that were complete are written')
