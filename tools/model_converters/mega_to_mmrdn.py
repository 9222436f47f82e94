# Copyright (c) mmrdn contributors. All rights reserved.
"""Turn a checkpoint of the public MEGA repository (single frame, RDN-base or
RDN) into one for the configs in configs/rdn_mega."""

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
    parser.add_argument('--config', help='config of the checkpoint (default: the one of its model in configs/rdn_mega)')
    parser.add_argument(
        '--all-keys', action='store_true', help='list all entries, not only the changed or dropped ones'
    )
    add_arguments(parser, '--trust-checkpoint')
    args = parser.parse_args()
    import torch

    from mmrdn.model_converters import convert_mega

    out = Path(args.out).expanduser()
    check_new(out)
    done = convert_mega(args.source, args.config, args.trust_checkpoint)
    with whole_file(out, overwrite=False) as file:
        torch.save(done.checkpoint, file)
    for line in done.coverage.lines(args.all_keys):
        print(line)
    if done.left_out:
        print(f'left out: {", ".join(done.left_out)}')
    print(f'{args.out}: all {len(done.checkpoint["state_dict"])} entries of {done.config}')


if __name__ == '__main__':
    main()
