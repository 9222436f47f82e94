# Copyright (c) mmrdn contributors. All rights reserved.
"""Convert the ImageNet DET images of the 30 VID classes to COCO JSON."""

import argparse
import sys
from pathlib import Path

from mmrdn.datasets.converters.ilsvrc_det import convert_det
from mmrdn.utils.cli import one_line_errors


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '-i',
        '--input',
        required=True,
        help='folder with Annotations/DET, or one that holds it as ILSVRC2015, ILSVRC2017 or ILSVRC',
    )
    parser.add_argument('-o', '--output', required=True, help='folder for imagenet_det_30classes.json')
    parser.add_argument('--max-per-class', type=int, default=2000, help='images that a class may have (default: 2000)')
    parser.add_argument('--workers', type=int, default=1, help='processes (default: 1)')
    parser.add_argument('--overwrite', action='store_true', help='replace an existing file')
    parser.add_argument(
        '--skip-bad-boxes', action='store_true', help='leave out impossible boxes instead of stopping at the first'
    )
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
    notes = summary['notes']
    for note in notes[:10]:
        print(f'warning: {note}', file=sys.stderr)
    if len(notes) > 10:
        print(f'warning: and {len(notes) - 10} more', file=sys.stderr)
    print(f'{file}: {summary["images"]} images, {summary["objects"]} objects')
    for name, count in summary['images_per_class'].items():
        print(f'  {name}: {count} images')


if __name__ == '__main__':
    main()
