# Copyright (c) mmrdn contributors. All rights reserved.
"""Test a detector and print its metrics."""

import argparse
import os

from mmrdn.apis import build_runner
from mmrdn.apis.config_files import TEST_KEYS, load_config
from mmrdn.engine.distributed.rank_errors import ending_job
from mmrdn.utils.cli import add_arguments, one_line_errors


@one_line_errors
def main() -> None:
    """Test as one rank of a job."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser, 'config', '--cfg-options')
    add_arguments(parser, '--work-dir', help='directory of logs and metrics')
    add_arguments(parser, '--amp', '--trust-checkpoint', '--launcher')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    parser.add_argument('checkpoint', nargs='?', help='checkpoint (mim gives it here)')
    parser.add_argument('--checkpoint', dest='checkpoint_option', help='checkpoint')
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    with ending_job(args.launcher):
        checkpoint = args.checkpoint_option or args.checkpoint
        if checkpoint is None:
            raise ValueError('no checkpoint given: test.py CONFIG CHECKPOINT')
        cfg = load_config(args.config, args.cfg_options, args.work_dir, args.launcher, TEST_KEYS)
        cfg.load_from = checkpoint
        cfg.resume = False
        if args.amp:
            cfg.test_cfg.fp16 = True  # MMEngine's name for either type
        build_runner(cfg, args.trust_checkpoint).test()


if __name__ == '__main__':
    main()
