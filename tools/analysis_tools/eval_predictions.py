# Copyright (c) mmrdn contributors. All rights reserved.
"""Evaluate predictions that VIDMetric wrote with outfile_prefix, without the model."""

import argparse

from mmrdn.utils.cli import add_arguments, one_line_errors


@one_line_errors
def main() -> None:
    """Print the table and the metrics."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('predictions', help='*.predictions.json (COCO-VID)')
    parser.add_argument('ann_file', help='ground truth (COCO-VID JSON)')
    parser.add_argument(
        '--report', metavar='PREFIX', help='write PREFIX.report.json and plots: precision-recall, confusion matrix'
    )
    add_arguments(parser, '--score-thr', help='lowest score in the confusion matrix (default: %(default)s)')
    args = parser.parse_args()
    from mmrdn.evaluation import evaluate_predictions

    report = None if args.report is None else dict(prefix=args.report, score_thr=args.score_thr)
    metrics, table = evaluate_predictions(args.predictions, args.ann_file, report)
    print(table)
    for name, value in metrics.items():
        print(f'{name}: {value:.4f}')


if __name__ == '__main__':
    main()
