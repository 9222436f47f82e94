# Copyright (c) mmrdn contributors. All rights reserved.
"""Compare detections with the incremental memory to the common order's."""

import argparse

from mmengine.config import DictAction

from mmrdn.apis import load_config
from mmrdn.benchmarks.detections import compare_detections
from mmrdn.utils.cli import one_line_errors


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file of an RDN')
    parser.add_argument('checkpoint', help='its checkpoint')
    parser.add_argument('--work-dir', help='folder of logs')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='change the config: key=value ...')
    return parser.parse_args()


@one_line_errors
def main() -> None:
    """Compare over the first video of the test set."""
    args = parse_args()
    cfg = load_config(
        args.config, args.cfg_options, args.work_dir, needs=('test_cfg', 'test_dataloader', 'test_evaluator')
    )
    result = compare_detections(cfg, args.checkpoint)
    for name, value in result.items():
        print(f'{name}: {value:g}')


if __name__ == '__main__':
    main()
