# Copyright (c) mmrdn contributors. All rights reserved.
"""Train, test and time several detectors on one data set, each with several seeds: mean and spread.

If it is interrupted, run the same command again to continue: finished runs are kept, and a training
resumes from its last checkpoint. Several processes may work in one directory. Exit status: 0, all went
well; 1, bad input, or a run failed and the others finished; 130, Ctrl-C or SIGTERM.
"""

import argparse
from pathlib import Path

from mmrdn.utils.cli import add_arguments, one_line_errors, run_resumable


@one_line_errors
def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('configs', nargs='+', metavar='CONFIG', help='config file, or name of a config of the package')
    parser.add_argument('--work-dir', type=Path, required=True, help='directory of runs and results')
    parser.add_argument('--out', type=Path, help='the table goes to OUT.md and OUT.json (default: WORK_DIR/tables)')
    add_arguments(parser, '--seeds', default=[0, 1, 2], help='seeds of the trainings (default: 0 1 2)')
    parser.add_argument('--only', nargs='+', metavar='ROW', help='rows to run: names as the table has them')
    add_arguments(parser, '--device', '--threads')
    add_arguments(parser, '--cfg-options', action='store', default=[], help='change all configs: key=value ...')
    args = parser.parse_args()
    from mmrdn.comparison.detector_comparison import unique_names
    from mmrdn.comparison.report import short_names
    from mmrdn.comparison.seed_comparison import Line, Row, SeedComparison, Table

    rows = {name: Row(config) for name, config in zip(short_names(unique_names(args.configs)), args.configs)}
    table = Table('Mean and standard deviation over the seeds, %', [Line(name, name) for name in rows])
    options = (args.seeds, args.out, args.cfg_options, args.device, args.threads)
    comparison = SeedComparison(rows, [table], args.work_dir, *options)
    run_resumable(lambda: comparison.run(args.only))


if __name__ == '__main__':
    main()
