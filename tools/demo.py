# Copyright (c) mmrdn contributors. All rights reserved.
"""Train RDN and a single-frame detector on moving digits, and compare them."""

import argparse
from pathlib import Path

from mmrdn.utils.cli import add_arguments, one_line_errors


@one_line_errors
def main() -> None:
    """Run the demo."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--work-dir', type=Path, default='work_dirs/demo', help='directory of the results')
    add_arguments(parser, '--seed')
    add_arguments(
        parser, '--cfg-options', action='store', default=[], help='change the config of both detectors: key=value ...'
    )
    args = parser.parse_args()
    from mmrdn.comparison.demo import run_demo

    run_demo(args.work_dir, args.seed, args.cfg_options)


if __name__ == '__main__':
    main()
