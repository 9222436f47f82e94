# Copyright (c) mmrdn contributors. All rights reserved.
"""Make Tables 3 to 7 of the paper on moving digits: train, test and time their rows with several seeds.

If it is interrupted, run the same command again to continue: finished runs are kept, and a training
resumes from its last checkpoint. Several processes may work in one directory. Exit status: 0, all went
well; 1, bad input, or a run failed and the others finished; 130, Ctrl-C or SIGTERM.
"""

import argparse
from pathlib import Path

from mmrdn.utils.cli import add_arguments, one_line_errors, run_resumable


@one_line_errors
def main() -> None:
    """Make the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--work-dir', type=Path, default='work_dirs/tables', help='directory (default: %(default)s)')
    parser.add_argument('--out', type=Path, help='tables go to OUT.md and OUT.json (default: WORK_DIR/tables)')
    add_arguments(parser, '--seeds', default=[0, 1, 2], help='seeds of the trainings (default: 0 1 2)')
    parser.add_argument(
        '--only', nargs='+', metavar='ROW', help='rows to run, such as basic RDN: names as the tables have them'
    )
    add_arguments(parser, '--device', '--threads')
    add_arguments(parser, '--cfg-options', action='store', default=[], help='change all configs: key=value ...')
    args = parser.parse_args()
    from mmrdn.comparison.paper_tables import paper_tables

    tables = paper_tables(args.work_dir, args.seeds, args.out, args.cfg_options, args.device, args.threads)
    run_resumable(lambda: tables.run(args.only))


if __name__ == '__main__':
    main()
