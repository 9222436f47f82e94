# Copyright (c) mmrdn contributors. All rights reserved.
"""Label a video by a detector: a draft of its annotation for CVAT or Label Studio, to be corrected.

Detections become tracks, of which only those boxes are keyframes that interpolation does not give.
Corrected files come back through tools/dataset_converters/to_coco_vid.py.

Exit status: 0, all went well; 1, bad input; 130, Ctrl-C or SIGTERM, the frames that were done were
written.
"""

import argparse
import sys
from pathlib import Path

from mmrdn.utils.cli import add_arguments, one_line_errors


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('video', help='file, or directory or pattern of images')
    add_arguments(parser, '--config', required=True, help='config file, or the name of one of the package')
    add_arguments(parser, '--checkpoint', '--device', '--amp', '--lookahead', '--trust-checkpoint', '--cfg-options')
    parser.add_argument('--out', required=True, type=Path, help='.zip or .xml: CVAT for video 1.1; .json: Label Studio')
    parser.add_argument('--rank', type=Path, help='CSV file of frames, those first that are most worth labeling')
    add_arguments(
        parser, '--linker', default='TubeLinking', help='box linker that makes the tracks (default: %(default)s)'
    )
    parser.add_argument(
        '--link-iou', type=float, default=0.3, help='IoU of boxes that are linked, at least (default: %(default)s)'
    )
    parser.add_argument(
        '--keyframe-iou',
        type=float,
        default=0.9,
        help='IoU of a box that is no keyframe with its interpolation, at least (default: %(default)s)',
    )
    add_arguments(parser, '--score-thr', default=0.3)
    add_arguments(parser, '--overwrite', '--max-frames', '--fps', '--quiet')
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    """Do it."""
    from rich.console import Console

    from mmrdn.apis import VideoInferencer
    from mmrdn.own_videos.video_labels import check_outputs, label_video
    from mmrdn.utils.frame_progress import FrameProgress
    from mmrdn.video import open_source

    check_outputs(args.out, args.rank, args.overwrite)
    source = open_source(args.video, max_frames=args.max_frames, fps=args.fps)
    inferencer = VideoInferencer(
        args.config,
        args.checkpoint,
        args.device,
        args.lookahead,
        linker=dict(type=args.linker, min_iou=args.link_iou),
        amp=args.amp,
        trust_checkpoint=args.trust_checkpoint,
        cfg_options=args.cfg_options,
    )
    with FrameProgress('frames', Console(), args.quiet) as progress:
        said = label_video(
            inferencer,
            source,
            args.out,
            args.rank,
            score_thr=args.score_thr,
            min_iou=args.keyframe_iou,
            overwrite=args.overwrite,
            progress=progress.update,
        )
    if not args.quiet:
        print(f'{said}: {args.out}')


@one_line_errors
def main() -> None:
    """Run the tool; what takes time to import is imported within."""
    try:
        args = parse_args()
        from mmrdn.utils.interrupts import end_as_ctrl_c_does

        end_as_ctrl_c_does()
        run(args)
    except KeyboardInterrupt as interrupt:
        print(str(interrupt) or 'interrupted', file=sys.stderr)
        sys.exit(130)


if __name__ == '__main__':
    main()
