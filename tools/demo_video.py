# Copyright (c) mmrdn contributors. All rights reserved.
"""Detect in a video: a file, images, a camera, a stream, standard input.

Exit status: 0, all went well; 1, bad input; 3, the video is truncated or damaged and what decodes
was written; 130, Ctrl-C or SIGTERM, the frames that were done were written.
"""

import argparse
import sys

from mmrdn.utils.cli import one_line_errors


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    from mmengine.config import DictAction

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'video',
        help='file; folder or pattern of images; number of a camera; '
        'address (rtsp://, http://); - for raw BGR24 frames on stdin',
    )
    parser.add_argument('config', help='config file, or the name of one of the package')
    parser.add_argument('checkpoint', nargs='?', help='file or address; the published weights if not given')
    out = parser.add_argument_group('outputs, at least one')
    out.add_argument('--out-video', help='.mp4 with boxes drawn')
    out.add_argument('--out-json', help='.jsonl: a line a frame; .json: COCO-VID; -: lines to stdout')
    out.add_argument('--out-mot', help='MOTChallenge text')
    out.add_argument('--out-images', help='folder of pictures')
    out.add_argument('--overwrite', action='store_true', help='replace what is there')
    parser.add_argument(
        '--score-thr', type=float, default=0.3, help='leave out detections below it (default: %(default)s)'
    )
    parser.add_argument('--classes', nargs='+', metavar='NAME', help='only these classes')
    parser.add_argument('--lookahead', type=int, help='frames ahead that a frame waits for, 0 for online detection')
    parser.add_argument(
        '--linker', metavar='NAME', help='link boxes to tubes: BoxLinkingWithRelations, TubeLinking or SeqNMS'
    )
    parser.add_argument('--show-relations', action='store_true', help='draw the supports that detections rest on')
    parser.add_argument(
        '--scale',
        type=int,
        help='how many times larger frames are drawn (default: small ones so '
        'that labels have room, others as they are)',
    )
    parser.add_argument('--max-frames', type=int, help='stop after so many')
    parser.add_argument('--size', metavar='WxH', help='of raw frames on stdin, pixels')
    parser.add_argument('--fps', type=float, help='of images and raw frames (default: 25)')
    parser.add_argument(
        '--strict', action='store_true', help='stop at an image that cannot be read instead of going on'
    )
    parser.add_argument('--device', help='such as cuda:1 or cpu')
    parser.add_argument('--amp', action='store_true', help='mixed precision: fp16 on a GPU, bf16 on the CPU')
    parser.add_argument(
        '--trust-checkpoint', action='store_true', help='unpickle the checkpoint (runs code of whoever wrote it)'
    )
    parser.add_argument('--quiet', action='store_true', help='only warnings and errors')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='change the config: key=value ..., such as model.temporal_range=9',
    )
    return parser.parse_args()


def run(args: argparse.Namespace) -> int:
    """Do it; exit status."""
    from rich.console import Console

    from mmrdn.apis import VideoInferencer
    from mmrdn.inference.video_outputs import VideoOutputs
    from mmrdn.utils.frame_progress import FrameProgress
    from mmrdn.video import open_source

    outputs = dict(
        out_video=args.out_video,
        out_json=args.out_json,
        out_mot=args.out_mot,
        out_images=args.out_images,
        overwrite=args.overwrite,
        scale=args.scale,
    )
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
