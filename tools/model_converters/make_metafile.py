# Copyright (c) mmrdn contributors. All rights reserved.
"""Fill an entry of the model zoo: cost, results and weights of a config.

FLOPs are those of one RDN frame against a full pool, as mmrdn/model_zoo/model_complexity.py
counts them. Other entries and comments of the metafile stay.
"""

import argparse

from mmrdn.utils.cli import add_arguments, one_line_errors


@one_line_errors
def main() -> None:
    """Make the entry and print it; put it into the metafile."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file')
    parser.add_argument('--checkpoint', help='checkpoint that publish_model.py wrote; it must fit the config')
    parser.add_argument(
        '--weights',
        help='URL of the checkpoint, or its path relative to the directory of '
        'model-index.yml (mim downloads from URLs only)',
    )
    parser.add_argument(
        '--metrics', help='<time>.json that tools/test.py wrote (default: the metrics in the checkpoint)'
    )
    parser.add_argument('--dataset', help='name of the data set of the metrics')
    parser.add_argument(
        '--frame-size',
        nargs=2,
        type=int,
        default=(1280, 720),  # as most of ImageNet VID
        metavar=('WIDTH', 'HEIGHT'),
        help='frame size of the video that FLOPs are counted for, before the test pipeline, pixels (default: 1280 720)',
    )
    parser.add_argument('--out', help='metafile.yml to change or make (default: print)')
    parser.add_argument('--collection', help='collection of a new entry or metafile')
    add_arguments(parser, '--overwrite', help='replace other results or weights')
    args = parser.parse_args()
    from mmrdn.model_zoo import make_entry, update_metafile
    from mmrdn.model_zoo.yaml_text import dump_yaml

    entry = make_entry(args.config, args.checkpoint, args.weights, args.metrics, args.dataset, tuple(args.frame_size))
    if args.out:
        update_metafile(entry, args.out, args.collection, args.overwrite)
    print(dump_yaml([entry]), end='')


if __name__ == '__main__':
    main()
