# Copyright (c) mmrdn contributors. All rights reserved.
"""Detect in many videos, with one or several processes on one or several machines.

Start one process for each GPU, by hand or with a launcher: each takes the next free video. If it is
interrupted, run the same command again to continue; finished videos are kept.

Exit status: 0, all went well; 1, bad input; 3, some videos could not be read, or not to their ends
(OUT_DIR/failures.jsonl lists them); 130, Ctrl-C or SIGTERM. torchrun turns every status but 0 into 1:
look for failures.jsonl there.
"""

import argparse
import sys

from mmrdn.utils.cli import add_arguments, one_line_errors

OUTPUTS = ('out_video', 'out_json', 'out_mot', 'out_images')
MODEL_OPTIONS = ('lookahead', 'amp', 'trust_checkpoint', 'cfg_options')
RUN_OPTIONS = ('score_thr', 'classes', 'show_relations', 'scale', 'font', 'max_frames', 'fps', 'strict')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'videos',
        help='directory with videos and directories of images at any depth; '
        'pattern in quotes; text file with the path of a video a line, and comments after #',
    )
    parser.add_argument('out_dir', metavar='OUT_DIR', help='directory with a directory of outputs for each video')
    add_arguments(parser, '--config', required=True, help='config file, or the name of a config of the package')
    add_arguments(parser, '--checkpoint', '--launcher', '--device', '--amp', '--lookahead')
    add_arguments(parser, '--trust-checkpoint', '--cfg-options')
    add_arguments(parser, '--score-thr', default=0.3)
    out = parser.add_argument_group(
        'outputs', 'names in the directory of each video (default: --out-json detections.jsonl)'
    )
    add_arguments(out, '--out-video', '--out-mot', '--out-images')
    add_arguments(out, '--out-json', help='.jsonl: one line per frame; .json: COCO-VID')
    add_arguments(parser, '--classes', '--linker', '--tracker', '--show-relations', '--scale', '--font')
    add_arguments(parser, '--max-frames', help='stop each video after this number of frames')
    add_arguments(parser, '--fps', help='frame rate of images (default: 25)')
    add_arguments(parser, '--strict', help='count a video as failed if one of its images cannot be read')
    add_arguments(parser, '--quiet')
    return parser.parse_args()


def run(args: argparse.Namespace) -> int:
    """Do it; exit status."""
    from mmrdn.apis.many_videos import detect_videos
    from mmrdn.engine.distributed.ranks import this_rank

    num_failed = detect_videos(
        args.videos,
        args.out_dir,
        args.config,
        args.checkpoint,
        outputs={name: getattr(args, name) for name in OUTPUTS},
        model_options=dict(
            {name: getattr(args, name) for name in MODEL_OPTIONS},
            linker=dict(type=args.linker) if args.linker else None,
            tracker=dict(type=args.tracker) if args.tracker else None,
        ),
        run_options={name: getattr(args, name) for name in RUN_OPTIONS},
        device=args.device,
        launcher=args.launcher,
        quiet=args.quiet,
    )
    if num_failed and this_rank(args.launcher)[0] == 0:
        print(f'{num_failed} videos failed, see {args.out_dir}/failures.jsonl', file=sys.stderr)
    return 3 if num_failed else 0


@one_line_errors
def main() -> None:
    """Run the tool; what takes time to import is imported within."""
    args = parse_args()
    from mmrdn.utils.interrupts import end_as_ctrl_c_does

    end_as_ctrl_c_does()
    sys.exit(run(args))


if __name__ == '__main__':
    main()
