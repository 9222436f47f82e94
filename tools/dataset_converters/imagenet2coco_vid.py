# Copyright (c) mmrdn contributors. All rights reserved.
"""Convert ImageNet VID, or data in its layout, to COCO-VID JSON files."""

import argparse
from pathlib import Path

from mmrdn.datasets.converters.ilsvrc import check_output
from mmrdn.datasets.converters.ilsvrc_vid import convert_vid
from mmrdn.datasets.imagenet_vid_classes import CLASS_SETS
from mmrdn.utils.cli import add_arguments, one_line_errors, print_warnings


@one_line_errors
def main() -> None:
    """Run the tool."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '-i', '--input', required=True, help='directory with Annotations/VID, or with ILSVRC2015, ILSVRC2017 or ILSVRC'
    )
    parser.add_argument('-o', '--output', required=True, help='directory for <classes>_<split>.json')
    add_arguments(parser, '--workers', '--skip-bad-boxes', '--overwrite')
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
    parser.add_argument(
        '--list',
        metavar='FILE',
        help='training frames, such as VID_train_15frames.txt (default: 15 evenly spaced frames of each video)',
    )
    options = vars(parser.parse_args())
    list_file = options.pop('list')
    data_root, splits = options.pop('input'), options.pop('splits')
    if list_file is not None and 'train' not in splits:
        raise ValueError(f'--list {list_file}: a list of training frames, but --splits has no train')
    output = Path(options.pop('output'))
    files = {split: output / f'{options["classes"]}_{split}.json' for split in splits}
    for file in files.values():
        check_output(file, options['overwrite'])
    for split, file in files.items():
        summary = convert_vid(data_root, split, file, **options, list_file=list_file if split == 'train' else None)
        print_warnings(summary.pop('notes'))
        print(f'{file}: ' + ', '.join(f'{v} {k}' for k, v in summary.items()))


if __name__ == '__main__':
    main()
