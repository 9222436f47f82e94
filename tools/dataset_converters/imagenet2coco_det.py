# Copyright (c) mmrdn contributors. All rights reserved.
"""Convert the ImageNet DET images of the 30 VID classes to COCO JSON."""

import argparse
from pathlib import Path

from mmrdn.datasets.converters.ilsvrc_det import convert_det
from mmrdn.utils.cli import add_arguments, one_line_errors, print_warnings


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '-i',
        '--input',
        required=True,
        help='directory with Annotations/DET, or one that holds it as ILSVRC2015, ILSVRC2017 or ILSVRC',
    )
    parser.add_argument('-o', '--output', required=True, help='directory for imagenet_det_30classes.json')
    add_arguments(parser, '--workers', '--skip-bad-boxes', '--overwrite')
    parser.add_argument('--max-per-class', type=int, default=2000, help='most images of a class (default: 2000)')
    return parser.parse_args()


@one_line_errors
def main() -> None:
    """Run the tool."""
    args = parse_args()
    file = Path(args.output) / 'imagenet_det_30classes.json'
    summary = convert_det(
        args.input,
        file,
        max_per_class=args.max_per_class,
        workers=args.workers,
        overwrite=args.overwrite,
        skip_bad_boxes=args.skip_bad_boxes,
    )
    print_warnings(summary['notes'])
    print(f'{file}: {summary["images"]} images, {summary["objects"]} objects')
    for name, count in summary['images_per_class'].items():
        print(f'  {name}: {count} images')


if __name__ == '__main__':
    main()
