# Copyright (c) mmrdn contributors. All rights reserved.
"""Summarize trainings: cost of an iteration, losses, scores; and plot their curves."""

import argparse
from pathlib import Path

from mmrdn.fileio.whole_file import check_new, whole_file
from mmrdn.utils.cli import add_arguments, one_line_errors

FORMATS = ('.png', '.pdf', '.svg')


@one_line_errors
def main() -> None:
    """Read the logs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('logs', nargs='+', metavar='LOG', help='work directories of trainings, or files scalars.json')
    parser.add_argument('--out', help='plot to write: .png, .pdf or .svg')
    parser.add_argument(
        '--keys', nargs='+', metavar='NAME', help='curves, such as loss_cls time (default: losses, lr and mAP50)'
    )
    add_arguments(parser, '--overwrite')
    args = parser.parse_args()
    from mmrdn.comparison.training_log import plot_training_logs, read_training_log

    if args.keys and not args.out:
        raise ValueError('--keys needs --out, the plot to write')
    if args.out and Path(args.out).suffix not in FORMATS:
        raise ValueError(f'--out {args.out}: expected a name in {", ".join(FORMATS)}')
    if args.out and not args.overwrite:
        check_new(args.out)
    logs = [read_training_log(path) for path in args.logs]
    figure = plot_training_logs(logs, args.keys) if args.out else None
    for log in logs:
        print('\n'.join(log.summary()))
    if figure is not None:
        with whole_file(args.out) as file:
            figure.savefig(file, format=Path(args.out).suffix[1:])
        print(f'{args.out} written')


if __name__ == '__main__':
    main()
