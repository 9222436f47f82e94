# Copyright (c) mmrdn contributors. All rights reserved.
"""Convert the ImageNet DET images of the 30 VID classes to COCO JSON."""

import argparse
from pathlib import Path

from mmrdn.datasets.converters.ilsvrc_det import convert_det
from mmrdn.utils.cli import add_arguments, one_line_errors, print_warnings


@one_line_errors
def main() -> None:
    """Run the tool."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '-i', '--input', required=True, help='directory with Annotations/DET, or with ILSVRC2015, ILSVRC2017 or ILSVRC'
    )
    parser.add_argument('-o', '--output', required=True, help='directory for imagenet_det_30classes.json')
    add_arguments(parser, '--workers', '--skip-bad-boxes', '--overwrite')
    parser.add_argument(
        '--list', dest='list_file', metavar='FILE', help='list of the images to take, such as DET_train_30classes.txt'
    )
    parser.add_argument(
        '--max-per-class', type=int, help='largest number of images of a class, without --list (default: 2000)'
    )
    options = vars(parser.parse_args())
    data_root = options.pop('input')
    file = Path(options.pop('output')) / 'imagenet_det_30classes.json'
    summary = convert_det(data_root, file, **options)
    print_warnings(summary['notes'])
    print(f'{file}: {summary["images"]} images, {summary["objects"]} objects')
    for name, count in summary['images_per_class'].items():
        print(f'  {name}: {count} images')


if __name__ == '__main__':
    main()
