# Copyright (c) mmrdn contributors. All rights reserved.
"""Print a config with all that it inherits."""

import argparse

from mmrdn.utils.cli import add_arguments, one_line_errors


@one_line_errors
def main() -> None:
    """Print the config as Python that can be read again."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser, 'config', '--cfg-options')
    args = parser.parse_args()
    from mmrdn.apis import load_config

    print(load_config(args.config, args.cfg_options).pretty_text)


if __name__ == '__main__':
    main()
