# Copyright (c) mmrdn contributors. All rights reserved.
"""Hostile checkpoints through every command that takes one, and broken ones by the hundred.

    python tests/fuzz/fuzz_checkpoints.py --cases 256

Nothing may run, crash by a signal or be removed, and what is broken ends by one line that names the
file. Prints what did not, and counts.
"""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

import torch

if __name__ == '__main__':  # as a command
    sys.path[:0] = [str(Path(__file__).resolve().parents[i]) for i in (1, 2)]

import mmrdn  # noqa: F401  (makes mmtrack importable)
from fuzz.mutations import damaged, mutated
from fuzz.payloads import KINDS, USABLE
from fuzz.targets import Targets, read_base, run_apart

TRAINED = ('test', 'resume', 'resume_newest', 'start_from', 'resume_flexibly')  # which build a runner first


def attack(kind, target, targets, base):
    """Let a target read a hostile file.

    Returns:
        str or None: What went wrong, None if nothing did.
    """
    directory = targets.directory
    path, canary, victim = directory / 'iter_4.pth', directory / 'canary', directory / 'best_victim.pth'
    victim.write_text('keep')
    kind(path, canary, victim, base)
    end = targets(target, path)
    if canary.exists():
        canary.unlink()
        return 'code ran'
    if not victim.exists():
        return 'a file was removed'
    if end.status not in (0, 1):
        return f'ended by {end.status}: {end.err[-300:]}'
    if kind not in USABLE and not end.is_line(path.name):
        return f'no line of an error: {end.status} {end.err[-300:]}'
    return None


def stumble(seed, target, targets, base, data):
    """Let a target read a broken file; return what went wrong, None if nothing did."""
    path = targets.directory / 'broken.pth'
    if seed % 4 == 0:
        path.write_bytes(damaged(data, seed))
        what = 'bytes'
    else:
        content, what = mutated(base, seed)
        torch.save(content, path)
    end = targets(target, path)
    if end.status == 0 or end.is_line(path.name):
        return None
    return f'{what}: {end.status} {end.err[-300:]}'


def main():
    """Run all hostile kinds and some broken files; exit status 1 if something went wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--cases', type=int, default=256, help='number of broken files (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='seed of the first one (default: %(default)s)')
    parser.add_argument('--targets', nargs='+', help='only these commands and functions')
    parser.add_argument('--no-payloads', action='store_true', help='broken files only')
    parser.add_argument('--apart', action='store_true', help='hostile files: each command in a process of its own')
    args = parser.parse_args()
    from helpers.tools import make_data, run_tool, write_config

    with tempfile.TemporaryDirectory() as directory:
        directory = Path(directory)
        config = write_config(directory / 'tiny.py', make_data(directory / 'data'))
        run_tool('train.py', config, '--work-dir', directory / 'trained')
        data = (directory / 'trained' / 'iter_4.pth').read_bytes()
        base = read_base(directory / 'trained' / 'iter_4.pth')
        targets = Targets(config, directory)
        apart = Targets(config, directory, run_apart) if args.apart else targets
        wrong = Counter()
        names = args.targets or [*targets.COMMANDS, *targets.FUNCTIONS]
        for kind in [] if args.no_payloads else KINDS:
            for name in names:
                if problem := attack(kind, name, apart, base):
                    wrong['payloads'] += 1
                    print(f'{kind.__name__} through {name}: {problem}', flush=True)
        quick = [name for name in ('publish', 'convert_detector', 'convert_mega') if name in names]
        slow = [name for name in TRAINED if name in names]
        for seed in range(args.seed, args.seed + args.cases):
            for name in quick + slow[seed % max(len(slow), 1) :][:1]:
                if problem := stumble(seed, name, targets, base, data):
                    wrong['broken files'] += 1
                    print(f'{seed} through {name}: {problem}', flush=True)
    kinds = 0 if args.no_payloads else len(KINDS)
    print(f'{wrong["payloads"]} of {kinds} hostile kinds through {len(names)} targets had an effect or no line')
    print(f'{wrong["broken files"]} of {args.cases} broken files ended in a stack trace or no line')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
