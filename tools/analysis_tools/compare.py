# Copyright (c) mmrdn contributors. All rights reserved.
"""Train, test and time several detectors on one data set, and compare them.

If it is interrupted, run the same command again to continue. Exit status: 0, all went well; 1, bad
input, or a detector failed and the others were compared; 130, Ctrl-C or SIGTERM.
"""

import argparse

from mmrdn.utils.cli import add_arguments, one_line_errors, run_resumable


@one_line_errors
def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('configs', nargs='+', metavar='CONFIG', help='config file, or name of a config of the package')
    parser.add_argument(
        '--checkpoints',
        nargs='+',
        metavar='FILE',
        help='for each config a checkpoint, or - to train it (default: train all)',
    )
    parser.add_argument(
        '--work-dir',
        default='work_dirs/comparison',
        help='directory with a directory for each detector (default: %(default)s)',
    )
    parser.add_argument('--out', help='results go to OUT.json, OUT.csv and OUT.png (default: WORK_DIR/comparison)')
    add_arguments(parser, '--seed', '--device', '--threads', '--trust-checkpoint')
    add_arguments(parser, '--cfg-options', action='store', default=[], help='change all configs: key=value ...')
    args = parser.parse_args()
    from mmrdn.comparison.detector_comparison import compare_detectors

    options = vars(args)
    options['options'] = options.pop('cfg_options')

    def run() -> list[str]:
        rows = compare_detectors(**options)
        return [f'{row["name"]}: {row["error"]}' for row in rows if 'error' in row]

    run_resumable(run)


if __name__ == '__main__':
    main()
