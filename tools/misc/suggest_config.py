# Copyright (c) mmrdn contributors. All rights reserved.
"""Write a config for your own videos, and give the reasons for its settings."""

import argparse

from mmrdn.fileio.whole_file import check_new, whole_file
from mmrdn.own_videos.coco_vid_tables import CocoVidTables
from mmrdn.own_videos.config_bases import BASES
from mmrdn.own_videos.config_suggestion import check_load_from, find_images, in_video_files, suggest
from mmrdn.utils.cli import add_arguments, one_line_errors


@one_line_errors
def main() -> None:
    """Write the config."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('train', help='COCO-VID JSON of the training')
    parser.add_argument('val', help='COCO-VID JSON of the validation')
    parser.add_argument(
        '--base', choices=list(BASES), default='mobile', help='detector, from small to large (default: %(default)s)'
    )
    parser.add_argument('--out', required=True, help='config to write')
    parser.add_argument('--images', help='directory of the images of both files (default: looked for beside TRAIN)')
    parser.add_argument('--batch-size', type=int, help='images per iteration (default: that of the base)')
    parser.add_argument('--load-from', help='checkpoint to start from, path or URL')
    add_arguments(parser, '--overwrite')
    args = parser.parse_args()
    if args.batch_size is not None and args.batch_size < 1:
        raise ValueError(f'--batch-size must be 1 or more, got {args.batch_size}')
    if not args.overwrite:
        check_new(args.out)
    check_load_from(args.load_from)
    train, val, base = CocoVidTables(args.train), CocoVidTables(args.val), BASES[args.base]
    suggestion = suggest(train, val, base, args.batch_size)
    images = args.images or find_images(train)
    from_videos = in_video_files(train, images) or in_video_files(val, images)
    text = suggestion.text(base, args.train, args.val, images, args.load_from, from_videos)
    with whole_file(args.out) as file:
        file.write(text.encode())
    for reason in suggestion.reasons:
        print(reason)
    print(f'{args.out}: train with tools/train.py {args.out}')


if __name__ == '__main__':
    main()
