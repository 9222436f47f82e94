# Copyright (c) mmrdn contributors. All rights reserved.
"""Measure time and memory of checking a COCO-VID file of ImageNet VID's size, and of a training's data set of it."""

import argparse

from mmrdn.utils.cli import add_arguments, one_line_errors


def check(path: str) -> dict[str, int]:
    """Check the file without its images, as ``check_coco_vid.py`` does; return the number of errors."""
    from mmrdn.own_videos.checking import CheckedFiles

    return dict(num_errors=CheckedFiles([path]).num_errors)


@one_line_errors
def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', required=True, help='directory of the results, and of the file while it is needed')
    parser.add_argument('--num-frames', type=int, default=1_122_397, help='number of frames (default: %(default)s)')
    parser.add_argument('--num-boxes', type=int, default=1_731_913, help='number of boxes (default: %(default)s)')
    add_arguments(parser, '--overwrite', help='replace earlier results')
    args = parser.parse_args()
    from mmrdn.benchmarks.loading import benchmark_loading, load_for_training

    tasks = dict(check=check, load=load_for_training)
    benchmark_loading(args.out, tasks, args.num_frames, args.num_boxes, args.overwrite)


if __name__ == '__main__':
    main()
