# Copyright (c) mmrdn contributors. All rights reserved.
"""Measure the cost of relation beside that of the usual implementations."""

import argparse

from mmrdn.utils.cli import add_arguments, one_line_errors


@one_line_errors
def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', required=True, help='directory of the results')
    parser.add_argument('--parts', nargs='+', metavar='NAME', help='what to measure (default: all)')
    parser.add_argument('--repeats', type=int, default=5, help='number of rounds (default: %(default)s)')
    parser.add_argument('--threads', type=int, help='number of threads for torch')
    parser.add_argument(
        '--quick', action='store_true', help='T = 3, 18 and 24, no SELSA, no plain Python, no long videos'
    )
    add_arguments(parser, '--seed', help='random seed (default: %(default)s)')
    add_arguments(parser, '--overwrite', help='replace earlier results')
    args = parser.parse_args()
    from mmrdn.benchmarks.report import run_benchmark

    run_benchmark(**vars(args))


if __name__ == '__main__':
    main()
