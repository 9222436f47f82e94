# Copyright (c) mmrdn contributors. All rights reserved.
"""List the problems of COCO-VID files before a training fails on them.

Exit status: 0 if there are no errors (warnings may be), 1 if there are, or a file cannot be read.
"""

import argparse
import sys

from mmrdn.utils.cli import add_arguments, one_line_errors


@one_line_errors
def main() -> None:
    """Check the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'files', nargs='+', help='COCO-VID JSON files, such as train.json val.json; a video in two of them is an error'
    )
    parser.add_argument(
        '--images', nargs='+', metavar='DIR', help='directory of the images: one for all files, or one for each file'
    )
    parser.add_argument('--headers-only', action='store_true', help='read the sizes of images without decoding them')
    parser.add_argument('--fix', nargs='+', metavar='JSON', help='write a corrected copy of each file')
    parser.add_argument('--html', metavar='FILE', help='write a report with images and charts as a single file')
    parser.add_argument('--json', metavar='FILE', help='write the findings as JSON')
    parser.add_argument(
        '--limit', type=int, default=10, help='number of findings shown of each kind (default: %(default)s)'
    )
    add_arguments(parser, '--overwrite')
    args = parser.parse_args()
    from mmrdn.own_videos.checking import CheckedFiles

    outs = [*(args.fix or []), *filter(None, [args.html, args.json])]
    checked = CheckedFiles(args.files, args.images, args.headers_only, args.overwrite, outs)
    for line in checked.lines(args.limit):
        print(line)
    if args.fix:
        for line in checked.write_fixed(args.fix):
            print(line)
    if args.html:
        checked.write_html(args.html)
    if args.json:
        checked.write_json(args.json)
    sys.exit(1 if checked.num_errors else 0)


if __name__ == '__main__':
    main()
