# Copyright (c) mmrdn contributors. All rights reserved.
"""Convert annotations of video tools and benchmarks to a COCO-VID JSON file, see docs/annotation_formats.md."""

import argparse
import re
import warnings

from mmrdn.datasets.converters.conversion import convert_to_coco_vid
from mmrdn.datasets.converters.frame_files import FrameFiles
from mmrdn.datasets.converters.image_directory import ImageDirectory
from mmrdn.datasets.converters.readers import READERS
from mmrdn.datasets.converters.video_directory import VideoDirectory
from mmrdn.utils.cli import add_arguments, one_line_errors, print_warnings


def parse_size(text: str) -> tuple[int, int]:
    """Return width and height."""
    if not re.fullmatch('[1-9][0-9]{0,5}x[1-9][0-9]{0,5}', text):
        raise argparse.ArgumentTypeError(f'expected WIDTHxHEIGHT such as 1920x1080, got {text}')
    width, height = text.split('x')
    return int(width), int(height)


def parse_pair(text: str) -> tuple[str, str]:
    """Return an old and a new name."""
    old, _, new = text.partition('=')
    if not old or not new:
        raise argparse.ArgumentTypeError(f'expected OLD=NEW, got {text}')
    return old, new


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('format', choices=list(READERS), help='format of the annotations')
    parser.add_argument('inputs', nargs='+', metavar='INPUT', help='annotation files or directories')
    parser.add_argument('--out', required=True, help='JSON file to write')
    where = parser.add_mutually_exclusive_group()
    where.add_argument('--frames', help='directory of the frames: <video>/*.jpg, or *.jpg of a single video')
    where.add_argument('--videos', help='directory of the video files to read the frames from')
    parser.add_argument('--extract', help='directory to extract the frames of --videos to')
    parser.add_argument(
        '--name-template',
        help='file names of frames without one in the annotations (default of most formats: <video>/<frame:06d>.jpg; '
        '<number:06d> is the number in the annotations)',
    )
    parser.add_argument('--size', type=parse_size, metavar='WxH', help='frame size, if not in annotations or images')
    parser.add_argument('--classes', nargs='+', metavar='NAME', help='classes to keep, in this order (default: all)')
    parser.add_argument('--map', nargs='+', type=parse_pair, default=[], metavar='OLD=NEW', help='rename classes')
    parser.add_argument('--video-pattern', help='regular expression with (?P<video>) and (?P<frame>) for loose frames')
    parser.add_argument(
        '--annotated-only',
        action='store_true',
        help='frames without a drawn box count as not annotated: in training they are supports only',
    )
    parser.add_argument('--split', nargs='+', type=float, metavar='SHARE', help='shares of parts, such as 0.8 0.2')
    add_arguments(parser, '--seed', help='seed of the split (default: %(default)s)')
    add_arguments(parser, '--overwrite')
    return parser.parse_args()


def open_frames(args: argparse.Namespace) -> FrameFiles:
    """Return names and sizes of the frames; warn of options without effect."""
    if args.extract and not args.videos:
        raise ValueError('--extract needs --videos, the directory of the video files')
    source = '--frames' if args.frames else '--videos' if args.videos else None
    if source and args.size:
        warnings.warn(f'--size has no effect with {source}, which gives the sizes of frames')
    if source and args.name_template and not args.extract:
        warnings.warn(f'--name-template has no effect with {source}, which gives the names of frames')
    if args.videos:
        return VideoDirectory(args.videos, args.extract, args.name_template)
    return ImageDirectory(args.frames) if args.frames else FrameFiles(args.name_template, args.size)


@one_line_errors
def main() -> None:
    """Run the tool."""
    args = parse_args()
    if args.seed and not args.split:
        warnings.warn('--seed has no effect without --split')
    summaries = convert_to_coco_vid(
        args.format,
        args.inputs,
        args.out,
        open_frames(args),
        classes=args.classes,
        renamed=dict(args.map),
        pattern=args.video_pattern,
        split=args.split,
        seed=args.seed,
        overwrite=args.overwrite,
        annotated_only=args.annotated_only,
    )
    print_warnings(summaries.pop('')['losses'], limit=100)
    for path, summary in summaries.items():
        boxes = ', '.join(f'{name} {count}' for name, count in summary.pop('boxes').items())
        counts = ', '.join(f'{count} {what.replace("_", " ")}' for what, count in summary.items())
        print(f'{path}: {counts} ({boxes})')


if __name__ == '__main__':
    main()
