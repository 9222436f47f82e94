# Copyright (c) mmrdn contributors. All rights reserved.
"""Parts that the commands in tools/ share: arguments, and errors of one line (:mod:`command_errors`)."""

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

from mmrdn.utils.command_errors import USER_ERRORS, describe, is_user_error, one_line_errors
from mmrdn.utils.interrupts import end_as_ctrl_c_does
from mmrdn.utils.text import printable

__all__ = [
    'ARGUMENTS',
    'OptionsAction',
    'USER_ERRORS',
    'add_arguments',
    'describe',
    'is_user_error',
    'one_line_errors',
    'parse_options',
    'path_option',
    'print_warnings',
    'printable',
    'run_resumable',
]

_SPACE = '\ue000'  # stands for a space where MMEngine would remove it


class OptionsAction(argparse.Action):
    """Read words ``key=value`` as MMEngine does, but keep the spaces of texts, such as those of paths.

    Raises:
        ValueError: A word is not ``key=value``, or its brackets do not match.
    """

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        """Add the values of the words."""
        options = dict(getattr(namespace, self.dest, None) or {})
        for word in values:
            key, equals, text = word.partition('=')
            if not equals:
                raise ValueError(f'{option_string} must be key=value, got {word}')
            try:
                options[key] = _parse_value(text)
            except AssertionError as error:
                raise ValueError(f'{option_string}: {error}') from None
        setattr(namespace, self.dest, options)


def _parse_value(text: str) -> Any:
    from mmengine.config import DictAction  # with torch, which help does not need

    text = text.strip('\'"').strip()
    if ',' in text or text.startswith(('(', '[')):  # spaces beside these are no part of a text
        text = re.sub(r' +(?=[,)\]])|(?<=[,(\[]) +', '', text)
    return _with_spaces(DictAction._parse_iterable(text.replace(' ', _SPACE)))


def _with_spaces(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(map(_with_spaces, value))
    return value.replace(_SPACE, ' ') if isinstance(value, str) else value


def parse_options(words: Sequence[str]) -> dict[str, Any]:
    """Return the values that ``--cfg-options`` with these words sets.

    Raises:
        ValueError: See :class:`OptionsAction`.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='*', action=OptionsAction)
    return parser.parse_args(['--cfg-options', *words]).cfg_options


def path_option(key: str, path: str | os.PathLike) -> str:
    """Return the word of ``--cfg-options`` that sets a path.

    Raises:
        ValueError: It would be read as something else than this path.
    """
    word = f'{key}={path}'
    if parse_options([word]) != {key: str(path)}:
        raise ValueError(f'{path}: expected a path without commas, brackets around it, quotes or spaces at its ends')
    return word


# Arguments of more than one command.
ARGUMENTS = {
    'config': dict(help='config file, or the name of a config of the package'),
    'checkpoint': dict(nargs='?', help='path or URL; the published weights if not given'),
    '--config': dict(help='config file'),
    '--checkpoint': dict(help='path or URL; the published weights if not given'),
    '--cfg-options': dict(
        nargs='+', action=OptionsAction, help='change the config: key=value ..., such as model.temporal_range=9'
    ),
    '--work-dir': dict(help='directory of logs'),
    '--seed': dict(type=int, default=0, help='seed of the training (default: %(default)s)'),
    '--seeds': dict(type=int, nargs='+', default=[0], help='seeds of the trainings (default: 0)'),
    '--threads': dict(type=int, default=1, help='CPU threads in the timed test (default: %(default)s)'),
    '--device': dict(help='such as cuda:1 or cpu (default: a GPU if there is one)'),
    '--amp': dict(action='store_true', help='mixed precision: fp16 on a GPU, bf16 on the CPU'),
    '--trust-checkpoint': dict(action='store_true', help='unpickle checkpoints: this runs code of their author'),
    '--lookahead': dict(
        type=int, help='following frames that a frame waits for, 0 for online detection (default: as in the config)'
    ),
    '--score-thr': dict(type=float, default=0.5, help='leave out detections with a lower score (default: %(default)s)'),
    '--overwrite': dict(action='store_true', help='replace existing outputs'),
    '--workers': dict(type=int, default=1, help='processes (default: %(default)s)'),
    '--skip-bad-boxes': dict(action='store_true', help='leave out impossible boxes instead of stopping at the first'),
    '--out-video': dict(help='.mp4 video with the boxes drawn'),
    '--out-json': dict(help='.jsonl: one line per frame; .json: COCO-VID; -: lines to stdout'),
    '--out-mot': dict(help='MOTChallenge text'),
    '--out-images': dict(help='directory of images'),
    '--classes': dict(nargs='+', metavar='NAME', help='classes to keep (default: all)'),
    '--linker': dict(metavar='NAME', help='link boxes to tracks: BoxLinkingWithRelations, TubeLinking or SeqNMS'),
    '--tracker': dict(
        metavar='NAME', help='track boxes while the video runs, instead of linking them afterwards: ByteTracker'
    ),
    '--show-relations': dict(action='store_true', help='draw the supports with the largest weights for each detection'),
    '--scale': dict(
        type=int,
        help='factor by which drawn frames are enlarged (default: 1, more for small frames so that labels have room)',
    ),
    '--font': dict(help='font file for class names (default: an installed font that has the letters)'),
    '--max-frames': dict(type=int, help='stop after this number of frames'),
    '--fps': dict(type=float, help='frame rate of images and raw frames (default: 25)'),
    '--strict': dict(action='store_true', help='stop at an image that cannot be read instead of skipping it'),
    '--quiet': dict(action='store_true', help='print only warnings and errors'),
    '--launcher': dict(choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher'),
}


def print_warnings(notes: list[str], limit: int = 10) -> None:
    """Print the first notes of a conversion as warnings, and how many more there are."""
    for note in notes[:limit]:
        print(f'warning: {printable(note)}', file=sys.stderr)
    if len(notes) > limit:
        print(f'warning: and {len(notes) - limit} more', file=sys.stderr)


def run_resumable(run: Callable[[], Sequence[str]]) -> None:
    """Do the runs of a command that can be started again; exit with status 1 if some failed.

    Args:
        run (callable): Function that does the runs and returns the errors of those that failed.

    Raises:
        KeyboardInterrupt: Ctrl-C, SIGTERM or SIGHUP; says that the same command continues.
        SystemExit: Some runs failed; their errors were printed.
    """
    end_as_ctrl_c_does()
    try:
        errors = run()
    except KeyboardInterrupt:
        raise KeyboardInterrupt('interrupted; run the same command again to continue') from None
    for error in errors:
        print(f'error: {error}', file=sys.stderr)
    if errors:
        sys.exit(1)


def add_arguments(parser: argparse._ActionsContainer, *names: str, **changes) -> None:
    """Add some of ``ARGUMENTS``, with ``changes`` of their settings."""
    for name in names:
        parser.add_argument(name, **ARGUMENTS[name] | changes)
