# Copyright (c) mmrdn contributors. All rights reserved.
"""Train a detector.

Exit status: 0, trained; 1, bad input or an error; 130, Ctrl-C or SIGTERM, the training so far was saved.
"""

import argparse
import os
import signal
import sys

from mmrdn.utils.cli import add_arguments, one_line_errors
from mmrdn.utils.interrupts import end_as_ctrl_c_does


def run() -> None:
    """Train as one rank of a job."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, 'config', '--cfg-options')
    add_arguments(parser, '--work-dir', help='directory of logs and checkpoints')
    add_arguments(parser, '--amp', '--trust-checkpoint', '--launcher')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    parser.add_argument('--auto-scale-lr', action='store_true', help='scale the learning rate with the batch size')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='continue from a checkpoint (default: the newest one in the work directory)',
    )
    args = parser.parse_args()
    from mmrdn.apis import build_runner, claim_work_dir, enable_amp, find_resume, train
    from mmrdn.apis.config_files import TRAIN_KEYS, load_config
    from mmrdn.engine.distributed.rank_errors import ending_job

    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    with ending_job(args.launcher):
        cfg = load_config(args.config, args.cfg_options, args.work_dir, args.launcher, TRAIN_KEYS)
        if args.amp:
            enable_amp(cfg)
        if args.auto_scale_lr:
            if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
                raise ValueError('--auto-scale-lr needs auto_scale_lr.base_batch_size in the config')
            cfg.auto_scale_lr.enable = True
        lock = claim_work_dir(cfg.work_dir, resume=args.resume is not None, launcher=args.launcher)
        cfg.resume = False
        if args.resume is not None:
            find_resume(cfg, args.resume, args.trust_checkpoint)
        runner = build_runner(cfg, args.trust_checkpoint, partial_checkpoint=not cfg.resume)
        train(runner)
        if lock is not None:
            lock.close()


@one_line_errors
def main() -> None:
    """Run the tool."""
    end_as_ctrl_c_does()
    try:
        run()
    except KeyboardInterrupt as interrupt:
        print(str(interrupt) or 'interrupted', file=sys.stderr)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # workers that the signal ended are no error
        sys.exit(130)


if __name__ == '__main__':
    main()
