# Copyright (c) mmrdn contributors. All rights reserved.
"""What ``fuzz_annotations.py`` and ``fuzz_json.py`` share as commands."""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path


def run_command(fuzz: Callable[..., Counter], description: str) -> None:
    """Run from the command line; the exit status is 1 if an outcome was wrong.

    Args:
        fuzz (callable): Function of the number of mutants, a seed, an empty directory and
            ``verbose``. It counts outcomes; the right ones are ``read`` and ``refused``.
        description (str): Description of the command.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument('--cases', type=int, default=10000, help='number of mutants (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='seed (default: %(default)s)')
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        counts = fuzz(args.cases, args.seed, Path(directory), verbose=True)
    print(', '.join(f'{number} {name}' for name, number in counts.most_common()))
    sys.exit(bool(set(counts) - {'read', 'refused'}))
