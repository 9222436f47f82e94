# Copyright (c) mmrdn contributors. All rights reserved.
"""Link the boxes of predictions across frames, without the model."""

import argparse

from mmrdn.utils.cli import OptionsAction, add_arguments, one_line_errors


@one_line_errors
def main() -> None:
    """Link, and print where the result is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('predictions', help='JSON that VIDMetric wrote with outfile_prefix')
    parser.add_argument('--out', help='JSON with the new scores (default: NAME.linked.json)')
    add_arguments(parser, '--linker', required=True)
    parser.add_argument(
        '--linker-options',
        nargs='+',
        default={},
        action=OptionsAction,
        help='options of the linker, such as min_iou=0.3 max_gap=1',
    )
    add_arguments(parser, '--overwrite', help='replace the output')
    args = parser.parse_args()
    from mmrdn.evaluation import build_linker, link_predictions

    linker = build_linker(dict(args.linker_options, type=args.linker))
    out = link_predictions(args.predictions, linker, args.out, args.overwrite)
    print(f'linked by {args.linker}: {out}')


if __name__ == '__main__':
    main()
