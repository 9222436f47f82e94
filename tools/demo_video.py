# Copyright (c) mmrdn contributors. All rights reserved.
"""Detect in a video: a file, images, a camera, a stream, standard input.

Exit status: 0, all went well; 1, bad input; 3, the video is truncated or damaged, and the frames that
could be decoded were written; 130, Ctrl-C or SIGTERM, the finished frames were written.
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
    add_arguments(parser, 'config', help='config file, or the name of a config of the package')
    add_arguments(parser, 'checkpoint', '--device', '--amp', '--lookahead', '--trust-checkpoint', '--cfg-options')
    add_arguments(parser, '--score-thr', default=0.3)
    out = parser.add_argument_group('outputs, at least one')
    add_arguments(out, '--out-video', '--out-json', '--out-mot', '--out-images', '--overwrite')
    add_arguments(parser, '--classes', '--linker', '--tracker', '--show-relations', '--scale', '--font', '--max-frames')
    parser.add_argument('--size', metavar='WxH', help='frame size of raw frames on stdin, pixels')
    add_arguments(parser, '--fps', '--strict', '--quiet')
    return parser.parse_args()


def run(args: argparse.Namespace) -> int:
    """Do it; exit status."""
    from rich.console import Console

    from mmrdn.apis import VideoInferencer
    from mmrdn.inference.video_outputs import VideoOutputs
    from mmrdn.utils.frame_progress import FrameProgress
    from mmrdn.utils.heap import keep_freed_memory
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
        tracker=dict(type=args.tracker) if args.tracker else None,
        amp=args.amp,
        trust_checkpoint=args.trust_checkpoint,
        cfg_options=args.cfg_options,
    )
    keep_freed_memory(inferencer.device)
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
    args = parse_args()
    from mmrdn.utils.interrupts import end_as_ctrl_c_does

    end_as_ctrl_c_does()
    sys.exit(run(args))


if __name__ == '__main__':
    main()
