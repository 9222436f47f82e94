# Copyright (c) mmrdn contributors. All rights reserved.
"""Write a video of what several models found, side by side."""

import argparse

from mmrdn.utils.cli import add_arguments, one_line_errors


def named_files(words: list[str]) -> dict[str, str]:
    """Return {title: path} of arguments NAME=FILE."""
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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('ann_file', help='COCO-VID JSON of the data set')
    parser.add_argument('image_root', help='directory of its images')
    parser.add_argument('out', help='video (.mp4) or short loop (.gif, .png) to write')
    parser.add_argument(
        'predictions',
        nargs='+',
        metavar='NAME=FILE',
        help='title of a panel and its predictions, from tools/test.py or link_predictions.py',
    )
    parser.add_argument('--video', help='id of one video (default: all)')
    parser.add_argument(
        '--num-best',
        type=int,
        metavar='N',
        help='show only the N consecutive frames in which the last predictions are most ahead of the first',
    )
    add_arguments(parser, '--score-thr')
    parser.add_argument('--truth', action='store_true', help='show the ground truth first')
    parser.add_argument('--fps', type=float, default=25, help='frames per second (default: %(default)s)')
    add_arguments(parser, '--overwrite', help='replace the video')
    options = vars(parser.parse_args())
    files = named_files(options.pop('predictions'))
    from mmrdn.comparison.prediction_comparison import compare_predictions

    count = compare_predictions(prediction_files=files, **options)
    print(f'{options["out"]}: {count} frames')


if __name__ == '__main__':
    main()
