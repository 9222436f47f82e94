# Copyright (c) mmrdn contributors. All rights reserved.
"""Run several detectors over a video, and write a video of what each finds, side by side."""

import argparse
import functools

from mmrdn.utils.cli import add_arguments, one_line_errors


@one_line_errors
def main() -> None:
    """Write the video."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('video', help='video file; directory or pattern of images')
    parser.add_argument('out', help='video to write, .mp4')
    parser.add_argument(
        '--model',
        nargs=3,
        action='append',
        required=True,
        metavar=('NAME', 'CONFIG', 'CHECKPOINT'),
        help='title of a panel, config and checkpoint of its detector; once for each panel',
    )
    add_arguments(parser, '--score-thr', default=0.3)
    add_arguments(parser, '--max-frames', '--device', '--amp', '--trust-checkpoint', '--overwrite')
    args = parser.parse_args()
    names = [name for name, *_ in args.model]
    if len(set(names)) < len(names):
        raise ValueError(f'the panels need names that differ, got {", ".join(names)}')
    from rich.console import Console

    from mmrdn.apis import VideoInferencer
    from mmrdn.comparison.video_comparison import compare_on_video
    from mmrdn.utils.frame_progress import FrameProgress

    options = dict(device=args.device, amp=args.amp, trust_checkpoint=args.trust_checkpoint)
    detectors = {name: functools.partial(VideoInferencer, *paths, **options) for name, *paths in args.model}
    with FrameProgress('frames', Console()) as progress:
        count = compare_on_video(
            args.video, args.out, detectors, args.score_thr, args.max_frames, args.overwrite, progress.update
        )
    print(f'{args.out}: {count} frames')


if __name__ == '__main__':
    main()
