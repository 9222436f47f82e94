# Copyright (c) mmrdn contributors. All rights reserved.
"""Compare detectors by cross-validation: folds by video, several seeds, on any COCO-VID files.

If it is interrupted, run the same command again to continue: finished runs are kept, and a training
resumes from its last checkpoint. Exit status: 0, all went well; 1, bad input, or a run failed and the
others finished; 130, Ctrl-C or SIGTERM.
"""

import argparse
from pathlib import Path

from mmrdn.utils.cli import add_arguments, one_line_errors, run_resumable


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('configs', nargs='+', metavar='CONFIG', help='config file, or name of a config of the package')
    parser.add_argument('--data', nargs='+', required=True, metavar='FILE', help='COCO-VID JSON; several are joined')
    parser.add_argument('--images', required=True, help='directory of the images')
    parser.add_argument('--work-dir', type=Path, required=True, help='directory of folds, runs and results')
    parser.add_argument('--folds', type=int, default=5, help='number of folds, by video (default: %(default)s)')
    add_arguments(parser, '--seeds')
    parser.add_argument('--one-class', metavar='NAME', help='name of the class that all boxes get (default: their own)')
    parser.add_argument(
        '--link',
        nargs='+',
        default=[],
        metavar=('ROW', 'LINKER'),
        help='more rows: the predictions of ROW linked by TubeLinking, BoxLinkingWithRelations (which needs '
        'model.recorders=[NextFrameRelations] in its config) or SeqNMS',
    )
    parser.add_argument(
        '--baselines', nargs='+', default=[], metavar='ROW', help='rows to compare with (default: first)'
    )
    add_arguments(parser, '--score-thr', help='lowest score of detections in flicker (default: %(default)s)')
    part = parser.add_argument_group('to do a part only')
    part.add_argument('--only', nargs='+', metavar='ROW', help='rows to run, with their linkers')
    part.add_argument('--fold', type=int, nargs='+', help='folds to run, from 0')
    part.add_argument('--seed', type=int, nargs='+', help='seeds to run')
    add_arguments(parser, '--device')
    add_arguments(parser, '--cfg-options', action='store', default=[], help='change all configs: key=value ...')
    args = parser.parse_args()
    if len(args.link) == 1:
        parser.error('--link needs a row and one linker or more')
    return args


@one_line_errors
def main() -> None:
    """Compare."""
    args = parse_args()
    from mmrdn.comparison.fold_comparison import FoldComparison
    from mmrdn.setup_env import register_all_modules

    register_all_modules()  # linkers of other packages too
    comparison = FoldComparison(
        args.configs,
        args.data,
        args.images,
        args.work_dir,
        num_folds=args.folds,
        seeds=args.seeds,
        one_class=args.one_class,
        linked=args.link[0] if args.link else None,
        linkers=args.link[1:],
        baselines=args.baselines,
        score_thr=args.score_thr,
        device=args.device,
        options=args.cfg_options,
    )
    run_resumable(lambda: comparison.run(args.only, args.fold, args.seed))


if __name__ == '__main__':
    main()
