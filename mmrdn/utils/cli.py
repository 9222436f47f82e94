# Copyright (c) mmrdn contributors. All rights reserved.
"""Parts that the commands in tools/ share: arguments, and errors of one line."""

import argparse
import functools
import os
import sys
import warnings
from collections.abc import Callable

from mmengine.config import DictAction

from mmrdn.utils.text import printable

# Arguments of more than one command.
ARGUMENTS = {
    'config': dict(help='config file, or the name of a config of the package'),
    'checkpoint': dict(nargs='?', help='path or URL; the published weights if not given'),
    '--config': dict(help='config file'),
    '--checkpoint': dict(help='path or URL; the published weights if not given'),
    '--cfg-options': dict(
        nargs='+', action=DictAction, help='change the config: key=value ..., such as model.temporal_range=9'
    ),
    '--work-dir': dict(help='directory of logs'),
    '--seed': dict(type=int, default=0, help='seed of the training (default: %(default)s)'),
    '--device': dict(help='such as cuda:1 or cpu (default: a GPU if there is one)'),
    '--amp': dict(action='store_true', help='mixed precision: fp16 on a GPU, bf16 on the CPU'),
    '--trust-checkpoint': dict(action='store_true', help='unpickle checkpoints (runs code of whoever wrote them)'),
    '--lookahead': dict(type=int, help='frames ahead that a frame waits for, 0 for online detection'),
    '--score-thr': dict(type=float, default=0.5, help='leave out detections below it (default: %(default)s)'),
    '--overwrite': dict(action='store_true', help='replace what is there'),
    '--workers': dict(type=int, default=1, help='processes (default: %(default)s)'),
    '--skip-bad-boxes': dict(action='store_true', help='leave out impossible boxes instead of stopping at the first'),
    '--out-video': dict(help='.mp4 with boxes drawn'),
    '--out-json': dict(help='.jsonl: a line a frame; .json: COCO-VID; -: lines to stdout'),
    '--out-mot': dict(help='MOTChallenge text'),
    '--out-images': dict(help='directory of images'),
    '--classes': dict(nargs='+', metavar='NAME', help='only these classes'),
    '--linker': dict(metavar='NAME', help='link boxes to tracks: BoxLinkingWithRelations, TubeLinking or SeqNMS'),
    '--show-relations': dict(action='store_true', help='draw the supports that detections rest on'),
    '--scale': dict(
        type=int,
        help='how many times larger frames are drawn (default: small ones so that '
        'labels have room, others as they are)',
    ),
    '--font': dict(help='font file of class names (default: any of the machine that has the letters)'),
    '--max-frames': dict(type=int, help='number of frames to stop after'),
    '--fps': dict(type=float, help='frame rate of images and raw frames (default: 25)'),
    '--strict': dict(action='store_true', help='stop at an image that cannot be read instead of going on'),
    '--quiet': dict(action='store_true', help='only warnings and errors'),
    '--launcher': dict(choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher'),
}
# Errors that bad input raises, in our code and in the libraries below.
USER_ERRORS = (ValueError, OSError, TypeError, KeyError, ImportError, AssertionError)


def one_line_errors(main: Callable[[], None]) -> Callable[[], None]:
    """Let a command end with one line instead of a stack trace.

    Warnings get one line too, and so does Ctrl-C, with status 130. ``MMRDN_TRACEBACK=1`` in the
    environment shows the trace of an error.

    Args:
        main (callable): Command; what it raises for bad input ends the process with status 1.
    """

    @functools.wraps(main)
    def wrapper() -> None:
        warnings.showwarning = _show_warning
        try:
            main()
        except KeyboardInterrupt as interrupt:
            print(str(interrupt) or 'interrupted', file=sys.stderr)
            sys.exit(130)
        except Exception as error:
            unexplained = isinstance(error, AssertionError) and not str(error)
            if unexplained or not is_user_error(error) or os.environ.get('MMRDN_TRACEBACK') == '1':
                raise
            print(f'error: {describe(error)}', file=sys.stderr)
            sys.exit(1)

    return wrapper


def is_user_error(error: BaseException) -> bool:
    """Return whether an error needs no stack trace: bad input, or a data loader's dead worker."""
    return isinstance(error, USER_ERRORS) or _is_dead_worker(error)


def _is_dead_worker(error: BaseException) -> bool:
    return isinstance(error, RuntimeError) and str(error).startswith('DataLoader worker (pid')


def _show_warning(message, category, filename, lineno, *args) -> None:
    """Print one line, without the source line that Python adds."""
    print(f'warning: {printable(str(message))}', file=sys.stderr)


def describe(error: BaseException) -> str:
    """Return the message of an error in one line, see :func:`printable`."""
    text = str(error) or type(error).__name__
    if isinstance(error, KeyError):
        text = str(error.args[0]) if error.args else 'missing key'
        if not any(c.isspace() for c in text):
            text = f'missing key "{text}"'
    if _is_dead_worker(error):
        text = text.split(' It is possible')[0].split(' Details are lost')[0].rstrip('. ')
        text += '. Was it killed, or did memory or /dev/shm run out? Fewer num_workers of the data loader need less'
    if 'Original Traceback' in text:  # of a data loader's worker process
        text = text.strip().splitlines()[-1].split(': ', 1)[-1]
    text = text.split(' More details can be found at')[0]  # of a registry
    return printable(text)


def print_warnings(notes: list[str], limit: int = 10) -> None:
    """Print the first notes of a conversion as warnings, and how many more there are."""
    for note in notes[:limit]:
        print(f'warning: {printable(note)}', file=sys.stderr)
    if len(notes) > limit:
        print(f'warning: and {len(notes) - limit} more', file=sys.stderr)


def add_arguments(parser: argparse._ActionsContainer, *names: str, **changes) -> None:
    """Add some of ``ARGUMENTS``, with ``changes`` of their settings."""
    for name in names:
        parser.add_argument(name, **ARGUMENTS[name] | changes)
