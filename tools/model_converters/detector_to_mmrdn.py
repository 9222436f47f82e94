# Copyright (c) mmrdn contributors. All rights reserved.
"""Turn a Faster R-CNN of mmdet, mmtrack or torchvision into a checkpoint that
the training of a video detector can start from (`load_from`)."""

import argparse
from pathlib import Path

from mmrdn.fileio.whole_file import check_new, whole_file
from mmrdn.utils.cli import add_arguments, one_line_errors


@one_line_errors
def main() -> None:
    """Convert, save, and report each entry."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('source', help='path or http(s) URL of a checkpoint')
    parser.add_argument('out', help='file to write; must not exist')
    parser.add_argument('--config', required=True, help='config of the video detector')
    add_arguments(
        parser, '--cfg-options', help='change that config: key=value ..., such as model.detector.backbone.style=caffe'
    )
    parser.add_argument(
        '--source-config', help='config file of mmdet for the source, if the checkpoint does not carry it'
    )
    parser.add_argument(
        '--source-classes',
        nargs='+',
        help='class names of the source without background, if the checkpoint does not name them',
    )
    add_arguments(parser, '--seed', help='random seed for classes that the source does not have (default: %(default)s)')
    parser.add_argument('--all-keys', action='store_true', help='list all entries, not only the unused ones')
    add_arguments(parser, '--trust-checkpoint')
    args = parser.parse_args()
    import torch

    from mmrdn.apis import load_config
    from mmrdn.model_converters import convert_detector, read_source

    out = Path(args.out).expanduser()
    check_new(out)
    cfg = load_config(args.config, args.cfg_options)
    config = args.source_config and load_config(args.source_config)
    source = read_source(args.source, config, args.source_classes, args.trust_checkpoint)
    done = convert_detector(source, cfg, args.seed)
    with whole_file(out, overwrite=False) as file:
        torch.save(done.checkpoint, file)
    for line in done.coverage.lines(args.all_keys):
        print(line)
    filled = len(done.checkpoint['state_dict'])
    print(
        f'{args.out}: {filled} of {filled + len(done.unfilled)} entries of '
        'the model' + ('; the others keep the initial values of the config' if done.unfilled else '')
    )


if __name__ == '__main__':
    main()
