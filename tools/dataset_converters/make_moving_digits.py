# Copyright (c) mmrdn contributors. All rights reserved.
"""Make the moving digits data set in the ILSVRC2015 VID layout."""
import argparse
import sys

from mmrdn.datasets.moving_digits import MovingDigitsConfig, make_moving_digits


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    defaults = MovingDigitsConfig()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('out_dir', help='folder to make')
    for name, text in (('seed', 'seed of all that is random'),
                       ('num-train-videos', 'number of training videos'),
                       ('train-frames', 'frames a training video'),
                       ('num-val-videos', 'number of validation videos'),
                       ('val-frames', 'frames a validation video')):
        default = getattr(defaults, name.replace('-', '_'))
        parser.add_argument(
            f'--{name}',
            type=int,
            default=default,
            help=f'{text} (default: {default})')
    return parser.parse_args()


def main() -> int:
    """Run the tool; 0 if the data set is there at the end."""
    args = vars(parse_args())
    out_dir = args.pop('out_dir')
    try:
        made = make_moving_digits(out_dir, MovingDigitsConfig(**args))
    except (ValueError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    print(f'moving digits {"written to" if made else "already in"} {out_dir}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
