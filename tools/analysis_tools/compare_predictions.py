# Copyright (c) mmrdn contributors. All rights reserved.
"""Write a video of what several models found, side by side."""

import argparse

from mmrdn.comparison.prediction_comparison import compare_predictions
from mmrdn.utils.cli import one_line_errors


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('ann_file', help='COCO-VID JSON of the data set')
    parser.add_argument('image_root', help='folder of its pictures')
    parser.add_argument('out', help='the video, .mp4')
    parser.add_argument(
        'predictions',
        nargs='+',
        metavar='NAME=FILE',
        help='title of a panel and its predictions, from tools/test.py or link_predictions.py',
    )
    parser.add_argument('--video', help='id of one video; all if not given')
    parser.add_argument(
        '--score-thr', type=float, default=0.5, help='leave out detections below it (default: %(default)s)'
    )
    parser.add_argument('--truth', action='store_true', help='show the ground truth first')
    parser.add_argument('--fps', type=float, default=25, help='frames a second (default: %(default)s)')
    parser.add_argument('--overwrite', action='store_true', help='write over the video')
    return parser.parse_args()


def named_files(words: list[str]) -> dict[str, str]:
    """Files by title, of NAME=FILE."""
    files: dict[str, str] = {}
    for word in words:
        name, _, path = word.partition('=')
        if not name or not path:
            raise ValueError(f'predictions must be NAME=FILE, got {word}')
        if name in files:
            raise ValueError(f'the name {name} is there twice')
        files[name] = path
    return files


@one_line_errors
def main() -> None:
    """Write the video."""
    args = parse_args()
    count = compare_predictions(
        args.ann_file,
        args.image_root,
        args.out,
        named_files(args.predictions),
        args.video,
        args.score_thr,
        args.truth,
        args.fps,
        args.overwrite,
    )
    print(f'{args.out}: {count} frames')


if __name__ == '__main__':
    main()
