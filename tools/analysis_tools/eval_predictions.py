# Copyright (c) mmrdn contributors. All rights reserved.
import argparse
import sys


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description='Evaluate predictions that VIDMetric wrote with '
        'outfile_prefix, without the model')
    parser.add_argument('predictions', help='*.predictions.json (COCO-VID)')
    parser.add_argument('ann_file', help='ground truth (COCO-VID JSON)')
    return parser.parse_args()


def main() -> int:
    """Print the table and the metrics.

    Returns:
        int: Exit code, 1 if a file can't be evaluated.
    """
    args = parse_args()
    from mmrdn.evaluation.metrics import evaluate_predictions
    try:
        metrics, table = evaluate_predictions(args.predictions, args.ann_file)
    except (OSError, ValueError) as e:
        print('error:', ' '.join(str(e).split()), file=sys.stderr)
        return 1
    print(table)
    for name, value in metrics.items():
        print(f'{name}: {value:.4f}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
