# Copyright (c) mmrdn contributors. All rights reserved.
"""Write pictures of what the training pipeline yields."""

import argparse

from mmengine.config import DictAction

from mmrdn.apis import load_config
from mmrdn.browsing.dataset_browser import browse_dataset
from mmrdn.utils.cli import one_line_errors


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('--output-dir', required=True, help='folder of the pictures')
    parser.add_argument(
        '--max-samples', type=int, default=50, help='how many samples, in the order of the training (default: 50)'
    )
    parser.add_argument('--overwrite', action='store_true', help='write into a folder that is not empty')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='change the config: key=value ...')
    return parser.parse_args()


@one_line_errors
def main() -> None:
    """Write the pictures."""
    args = parse_args()
    cfg = load_config(args.config, args.cfg_options)
    paths = browse_dataset(cfg, args.output_dir, args.max_samples, args.overwrite)
    print(f'{len(paths)} pictures are in {args.output_dir}')


if __name__ == '__main__':
    main()
