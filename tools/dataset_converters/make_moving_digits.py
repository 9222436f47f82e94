# Copyright (c) mmrdn contributors. All rights reserved.
"""Make the moving digits data set in the ILSVRC2015 VID layout."""

import argparse

from mmrdn.datasets.moving_digits import MovingDigitsConfig, make_moving_digits
from mmrdn.utils.cli import one_line_errors


@one_line_errors
def main() -> None:
    """Run the tool."""
    defaults = MovingDigitsConfig()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('out_dir', help='directory to make')
    for name, text in (
        ('seed', 'random seed'),
        ('num-train-videos', 'number of training videos'),
        ('train-frames', 'number of frames of a training video'),
        ('num-val-videos', 'number of validation videos'),
        ('val-frames', 'number of frames of a validation video'),
    ):
        default = getattr(defaults, name.replace('-', '_'))
        parser.add_argument(f'--{name}', type=int, default=default, help=f'{text} (default: {default})')
    args = vars(parser.parse_args())
    out_dir = args.pop('out_dir')
    made = make_moving_digits(out_dir, MovingDigitsConfig(**args))
    print(f'moving digits {"written to" if made else "already in"} {out_dir}')


if __name__ == '__main__':
    main()
