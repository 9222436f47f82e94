# Copyright (c) mmrdn contributors. All rights reserved.
"""Export a detector to ONNX, for mmrdn-runtime and other runtimes."""

import argparse

from mmrdn.utils.cli import add_arguments, one_line_errors


@one_line_errors
def main() -> None:
    """Export."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser, 'config', 'checkpoint')
    parser.add_argument('--out', required=True, help='directory to write')
    parser.add_argument(
        '--size',
        nargs='+',
        default=[],
        metavar='HxW',
        help='frame sizes, pixels, at which to compare with PyTorch; the files run at any size',
    )
    storage = parser.add_mutually_exclusive_group()
    words = dict(dest='storage', action='store_const', default='fp32')
    storage.add_argument('--fp16', const='fp16', **words, help='store weights in fp16; computations stay in fp32')
    storage.add_argument(
        '--int8-weights',
        const='int8',
        **words,
        help='for small files: store large matrices in int8, other weights in fp16; computations stay in fp32 and take '
        'as long',
    )
    parser.add_argument(
        '--int8',
        action='store_true',
        help='for speed on processors with int8 instructions: compute convolutions of backbone and neck in int8; needs '
        '--calibrate',
    )
    parser.add_argument(
        '--calibrate',
        metavar='FRAMES',
        help='video, or directory or pattern of images, to measure value ranges on for --int8',
    )
    add_arguments(parser, '--overwrite', '--trust-checkpoint', '--cfg-options')
    args = parser.parse_args()
    if args.int8 != (args.calibrate is not None):
        raise ValueError(
            '--int8 and --calibrate go together: to compute in int8 needs frames to measure ranges of numbers on; '
            '--int8-weights, which only stores weights in int8, needs none'
        )

    from mmrdn.export.onnx_directory import export_onnx
    from mmrdn.setup_env import register_all_modules

    register_all_modules()
    names = ('storage', 'calibrate', 'overwrite', 'trust_checkpoint', 'cfg_options')
    options = {name: getattr(args, name) for name in names}
    print(export_onnx(args.config, args.checkpoint, args.out, sizes=args.size, **options))


if __name__ == '__main__':
    main()
