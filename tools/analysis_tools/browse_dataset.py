# Copyright (c) mmrdn contributors. All rights reserved.
"""Write the images that the training pipeline yields."""

import argparse

from mmrdn.utils.cli import add_arguments, one_line_errors


@one_line_errors
def main() -> None:
    """Write the images."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser, 'config', '--cfg-options')
    parser.add_argument('--output-dir', required=True, help='directory of the images')
    parser.add_argument(
        '--max-samples', type=int, default=50, help='number of samples, in the order of the training (default: 50)'
    )
    add_arguments(parser, '--overwrite', help='write into a directory that is not empty')
    args = parser.parse_args()
    from mmrdn.apis import load_config
    from mmrdn.browsing.dataset_browser import browse_dataset

    cfg = load_config(args.config, args.cfg_options)
    paths = browse_dataset(cfg, args.output_dir, args.max_samples, args.overwrite)
    print(f'{len(paths)} images are in {args.output_dir}')


if __name__ == '__main__':
    main()
