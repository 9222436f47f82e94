# Copyright (c) mmrdn contributors. All rights reserved.
"""Convert ImageNet VID, or data in its layout, to COCO-VID JSON files."""

import argparse
import sys
from pathlib import Path

from mmrdn.datasets.converters.ilsvrc import check_output
from mmrdn.datasets.converters.ilsvrc_vid import convert_vid
from mmrdn.datasets.imagenet_vid_classes import CLASS_SETS
from mmrdn.utils.cli import one_line_errors


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '-i',
        '--input',
        required=True,
        help='folder with Annotations/VID, or one that holds it as ILSVRC2015, ILSVRC2017 or ILSVRC',
    )
    parser.add_argument('-o', '--output', required=True, help='folder for <classes>_<split>.json')
    parser.add_argument(
        '--classes',
        choices=sorted(CLASS_SETS),
        default='imagenet_vid',
        help='classes of the data (default: imagenet_vid)',
    )
    parser.add_argument(
        '--splits',
        nargs='+',
        choices=('train', 'val'),
        default=['train', 'val'],
        help='splits to convert (default: both)',
    )
    parser.add_argument('--workers', type=int, default=1, help='processes (default: 1)')
    parser.add_argument('--overwrite', action='store_true', help='replace existing files')
    parser.add_argument(
        '--skip-bad-boxes', action='store_true', help='leave out impossible boxes instead of stopping at the first'
    )
    return parser.parse_args()


@one_line_errors
def main() -> None:
    """Run the tool."""
    args = parse_args()
    files = {split: Path(args.output) / f'{args.classes}_{split}.json' for split in args.splits}
    for file in files.values():
        check_output(file, args.overwrite)
    for split, file in files.items():
        summary = convert_vid(
            args.input,
            split,
            file,
            classes=args.classes,
            workers=args.workers,
            overwrite=args.overwrite,
            skip_bad_boxes=args.skip_bad_boxes,
        )
        notes = summary.pop('notes')
        for note in notes[:10]:
            print(f'warning: {note}', file=sys.stderr)
        if len(notes) > 10:
            print(f'warning: and {len(notes) - 10} more', file=sys.stderr)
        print(f'{file}: ' + ', '.join(f'{v} {k}' for k, v in summary.items()))


if __name__ == '__main__':
    main()
