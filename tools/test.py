# Copyright (c) mmrdn contributors. All rights reserved.
"""Test a detector and print its metrics."""

import argparse
import os
import sys

from mmrdn.utils.cli import add_arguments, one_line_errors


@one_line_errors
def main() -> None:
    """Test as one rank of a job."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser, 'config', '--cfg-options')
    add_arguments(parser, '--work-dir', help='directory of logs and metrics')
    add_arguments(parser, '--amp', '--trust-checkpoint', '--launcher')
    parser.add_argument(
        '--on-bad-frame',
        choices=['stop', 'skip'],
        default='stop',
        help='what to do with a frame that cannot be loaded; a skipped frame counts as a frame without '
        'detections, and the exit status is 3, or 1 with torchrun (default: %(default)s)',
    )
    parser.add_argument(
        '--resume-test', action='store_true', help='continue an interrupted test; results of finished videos are kept'
    )
    parser.add_argument('--tta', action='store_true', help=argparse.SUPPRESS)  # of mmdet's test.py
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    parser.add_argument('checkpoint', nargs='?', help='path of the checkpoint')
    parser.add_argument('--checkpoint', dest='checkpoint_option', help='the same as an option, as mim passes it')
    args = parser.parse_args()
    from mmengine.dist import is_main_process

    from mmrdn.apis import build_runner
    from mmrdn.apis.config_files import TEST_KEYS, load_config
    from mmrdn.apis.runner import test_by_videos
    from mmrdn.engine.distributed.rank_errors import ending_job

    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    with ending_job(args.launcher):
        if args.tta:
            raise ValueError(
                '--tta is not supported: the supports of a frame would have to be flipped and scaled with it, in a '
                'window of each variant; test once for each, with --cfg-options, and compare the predictions'
            )
        checkpoint = args.checkpoint_option or args.checkpoint
        if checkpoint is None:
            raise ValueError('no checkpoint given: test.py CONFIG CHECKPOINT')
        cfg = load_config(args.config, args.cfg_options, args.work_dir, args.launcher, TEST_KEYS)
        cfg.load_from = checkpoint
        cfg.resume = False
        if args.amp:
            cfg.test_cfg.fp16 = True  # MMEngine's name for either type
        test_by_videos(cfg, args.on_bad_frame, args.resume_test)
        runner = build_runner(cfg, args.trust_checkpoint)
        skipped = runner.test().get('skipped_frames', 0)
        if skipped and is_main_process():
            print(f'error: {skipped} bad frames count as frames without detections', file=sys.stderr, flush=True)
    if skipped:
        sys.exit(3)


if __name__ == '__main__':
    main()
