# Copyright (c) mmrdn contributors. All rights reserved.
"""Label a video with a detector: write a draft of its annotation, to be corrected in CVAT or Label Studio.

Detections become tracks with few keyframes; the boxes between them are interpolated. Convert the
corrected file with tools/dataset_converters/to_coco_vid.py.

Exit status: 0, all went well; 1, bad input; 130, Ctrl-C or SIGTERM, the finished frames were written.
"""

import argparse
from pathlib import Path

from mmrdn.utils.cli import add_arguments, one_line_errors


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('video', help='file, or directory or pattern of images')
    add_arguments(parser, '--config', required=True, help='config file, or the name of a config of the package')
    add_arguments(parser, '--checkpoint', '--device', '--amp', '--lookahead', '--trust-checkpoint', '--cfg-options')
    parser.add_argument('--out', required=True, type=Path, help='.zip or .xml: CVAT for video 1.1; .json: Label Studio')
    parser.add_argument('--rank', type=Path, help='CSV file that ranks the frames: correct the first ones first')
    add_arguments(parser, '--linker', help='box linker that makes the tracks (default: TubeLinking)')
    parser.add_argument('--link-iou', type=float, help='least IoU of linked boxes in consecutive frames (default: 0.3)')
    add_arguments(parser, '--tracker', help='tracker that makes the tracks instead of a linker: ByteTracker')
    parser.add_argument(
        '--keyframe-iou',
        type=float,
        default=0.9,
        help='least IoU between an interpolated box and the detected one (default: %(default)s)',
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
    from mmrdn.utils.heap import keep_freed_memory
    from mmrdn.video import open_source

    if args.tracker and args.link_iou is not None:
        raise ValueError('--link-iou is an option of linkers: leave it or --tracker out')
    linker = None
    if args.linker or not args.tracker:
        linker = dict(type=args.linker or 'TubeLinking', min_iou=0.3 if args.link_iou is None else args.link_iou)
    check_outputs(args.out, args.rank, args.overwrite)
    source = open_source(args.video, max_frames=args.max_frames, fps=args.fps)
    inferencer = VideoInferencer(
        args.config,
        args.checkpoint,
        args.device,
        args.lookahead,
        linker=linker,
        tracker=dict(type=args.tracker) if args.tracker else None,
        amp=args.amp,
        trust_checkpoint=args.trust_checkpoint,
        cfg_options=args.cfg_options,
    )
    keep_freed_memory(inferencer.device)
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
    args = parse_args()
    from mmrdn.utils.interrupts import end_as_ctrl_c_does

    end_as_ctrl_c_does()
    run(args)


if __name__ == '__main__':
    main()
