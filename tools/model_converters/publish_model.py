# Copyright (c) mmrdn contributors. All rights reserved.
"""Make a checkpoint to publish: weights and plain metadata, nothing else."""

import argparse

from mmrdn.utils.cli import add_arguments, one_line_errors


@one_line_errors
def main() -> None:
    """Publish, and print what the file holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('checkpoint', help='checkpoint of a training')
    parser.add_argument(
        'out', help='directory, or path that the hash is added to: zoo/rdn.pth becomes zoo/rdn-1a2b3c4d.pth'
    )
    parser.add_argument(
        '--config', help='config that the weights must fit, to store its text (default: the text in the checkpoint)'
    )
    parser.add_argument('--metrics', help='<time>.json that tools/test.py wrote')
    parser.add_argument('--fp16', action='store_true', help='store weights in fp16')
    add_arguments(parser, '--trust-checkpoint')
    args = parser.parse_args()
    from mmrdn.model_zoo import publish_model

    done = publish_model(args.checkpoint, args.out, args.config, args.metrics, args.trust_checkpoint, args.fp16)
    meta, state = done.checkpoint['meta'], done.checkpoint['state_dict']
    print(f'{done.path}: ' + ('written' if done.is_new else 'is there already, the same'))
    print(
        f'{len(state)} tensors, {done.path.stat().st_size / 1e6:.1f} MB, '
        f'iteration {meta.get("iter", "unknown")}, '
        f'{len(meta["dataset_meta"]["classes"])} classes, '
        f'{len(meta.get("metrics", {}))} metrics'
    )
    if done.left_out:
        print(f'left out: {", ".join(done.left_out)}')


if __name__ == '__main__':
    main()
