# Copyright (c) mmrdn contributors. All rights reserved.
"""Detect in a video: a file, images, a camera, a stream, standard input.

Exit status: 0, all went well; 1, bad input; 3, the video is truncated or damaged and what decodes
was written; 130, Ctrl-C or SIGTERM, the frames that were done were written.
"""

import argparse
import sys

from mmrdn.utils.cli import add_arguments, one_line_errors


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'video',
        help='file; directory or pattern of images; number of a camera; '
        'URL (rtsp://, http://); - for raw BGR24 frames on stdin',
    )
    add_arguments(parser, 'config', help='config file, or the name of one of the package')
    add_arguments(parser, 'checkpoint', '--device', '--amp', '--lookahead', '--trust-checkpoint', '--cfg-options')
    add_arguments(parser, '--score-thr', default=0.3)
    out = parser.add_argument_group('outputs, at least one')
    out.add_argument('--out-video', help='.mp4 with boxes drawn')
    out.add_argument('--out-json', help='.jsonl: a line a frame; .json: COCO-VID; -: lines to stdout')
    out.add_argument('--out-mot', help='MOTChallenge text')
    out.add_argument('--out-images', help='directory of images')
    add_arguments(out, '--overwrite')
    parser.add_argument('--classes', nargs='+', metavar='NAME', help='only these classes')
    parser.add_argument(
        '--linker', metavar='NAME', help='link boxes to tracks: BoxLinkingWithRelations, TubeLinking or SeqNMS'
    )
    parser.add_argument('--show-relations', action='store_true', help='draw the supports that detections rest on')
    parser.add_argument(
        '--scale',
        type=int,
        help='how many times larger frames are drawn (default: small ones so '
        'that labels have room, others as they are)',
    )
    parser.add_argument('--font', help='font file of class names (default: any of the machine that has the letters)')
    parser.add_argument('--max-frames', type=int, help='number of frames to stop after')
    parser.add_argument('--size', metavar='WxH', help='frame size of raw frames on stdin, pixels')
    parser.add_argument('--fps', type=float, help='frame rate of images and raw frames (default: 25)')
    parser.add_argument(
        '--strict', action='store_true', help='stop at an image that cannot be read instead of going on'
    )
    parser.add_argument('--quiet', action='store_true', help='only warnings and errors')
    return parser.parse_args()


def run(args: argparse.Namespace) -> int:
    """Do it; exit status."""
    from rich.console import Console

    from mmrdn.apis import VideoInferencer
    from mmrdn.inference.video_outputs import VideoOutputs
    from mmrdn.utils.frame_progress import FrameProgress
    from mmrdn.video import open_source

    names = ('out_video', 'out_json', 'out_mot', 'out_images', 'overwrite', 'scale', 'font')
    outputs = {name: getattr(args, name) for name in names}
    # What is refused is refused before the model is loaded.
    VideoOutputs(**outputs)
    source = open_source(args.video, args.size, args.strict, args.max_frames, args.fps)
    inferencer = VideoInferencer(
        args.config,
        args.checkpoint,
        args.device,
        args.lookahead,
        linker=dict(type=args.linker) if args.linker else None,
        amp=args.amp,
        trust_checkpoint=args.trust_checkpoint,
        cfg_options=args.cfg_options,
    )
    # Lines of JSON have standard output for themselves.
    console = Console(stderr=args.out_json == '-')
    with FrameProgress('frames', console, args.quiet) as progress:
        summary = inferencer(
            source,
            **outputs,
            score_thr=args.score_thr,
            classes=args.classes,
            show_relations=args.show_relations,
            progress=progress.update,
        )
    if not args.quiet:
        print(summary, file=console.file)
    return 3 if summary.truncated else 0


@one_line_errors
def main() -> None:
    """Run the tool; what takes time to import is imported within."""
    try:
        args = parse_args()
        from mmrdn.utils.interrupts import end_as_ctrl_c_does

        end_as_ctrl_c_does()
        sys.exit(run(args))
    except KeyboardInterrupt as interrupt:
        print(str(interrupt) or 'interrupted', file=sys.stderr)
        sys.exit(130)


if __name__ == '__main__':
    main()
