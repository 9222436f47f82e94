# Copyright (c) mmrdn contributors. All rights reserved.
"""Compare detections with cached supports to those of the baseline relation."""

import argparse

from mmrdn.utils.cli import add_arguments, one_line_errors


@one_line_errors
def main() -> None:
    """Compare over the first video of the test set."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser, 'config', help='config file of an RDN')
    add_arguments(parser, '--cfg-options')
    parser.add_argument('checkpoint', help='its checkpoint')
    add_arguments(parser, '--work-dir')
    args = parser.parse_args()
    from mmrdn.apis.config_files import TEST_KEYS, load_config
    from mmrdn.benchmarks.detections import compare_detections

    cfg = load_config(args.config, args.cfg_options, args.work_dir, needs=TEST_KEYS)
    result = compare_detections(cfg, args.checkpoint)
    for name, value in result.items():
        print(f'{name}: {value:g}')


if __name__ == '__main__':
    main()
