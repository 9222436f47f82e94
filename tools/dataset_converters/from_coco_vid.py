# Copyright (c) mmrdn contributors. All rights reserved.
"""Convert a COCO-VID JSON file to a format of annotation tools or benchmarks, see docs/annotation_formats.md."""

import argparse

from mmrdn.datasets.converters.export import convert_from_coco_vid
from mmrdn.datasets.converters.writers import WRITERS
from mmrdn.utils.cli import add_arguments, one_line_errors, print_warnings


@one_line_errors
def main() -> None:
    """Run the tool."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('format', choices=list(WRITERS), help='format to write')
    parser.add_argument('input', help='COCO-VID JSON file')
    parser.add_argument('--out', required=True, help='file to write, or directory (cvat-video, mot)')
    parser.add_argument('--fps', type=float, default=25.0, help='frame rate of the videos (default: %(default)s)')
    add_arguments(parser, '--overwrite')
    args = parser.parse_args()
    paths, losses = convert_from_coco_vid(args.format, args.input, args.out, args.fps, args.overwrite)
    print_warnings(losses, limit=100)
    for path in paths:
        print(path)


if __name__ == '__main__':
    main()
