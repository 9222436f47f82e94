# Copyright (c) mmrdn contributors. All rights reserved.
import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO


def check_new(path: str | os.PathLike) -> None:
    """Raise FileExistsError if something has that path already."""
    if os.path.lexists(path):
        raise FileExistsError(f'{path} exists; choose another name')


@contextlib.contextmanager
def whole_file(path: str | os.PathLike, overwrite: bool = True) -> Iterator[IO[bytes]]:
    """Write a file that appears under its name when it is complete.

    If the block raises, everything stays as it was.

    Args:
        path (str or Path): Path of the file; its directory is made.
        overwrite (bool): Whether to replace a file of that name.

    Yields:
        IO[bytes]: A file in the same directory, under another name.

    Raises:
        FileExistsError: ``overwrite`` is False and there is such a file, or came to be meanwhile.
    """
    path = Path(path)
    if not overwrite:
        check_new(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'.{path.name}.{secrets.token_hex(8)}.partial')
    try:
        with open(partial, 'xb') as file:
            yield file
        with open(partial, 'rb') as file:  # the block may have closed it
            os.fsync(file.fileno())  # else a crash of the machine may leave the name without the content
        if overwrite:
            os.replace(partial, path)
        else:
            _move_to_new(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _move_to_new(file: Path, path: Path) -> None:
    """Give a file its name unless another file has it; a hard link never replaces one."""
    try:
        os.link(file, path)
    except FileExistsError:
        check_new(path)
    except OSError:  # a file system without links
        check_new(path)
        os.replace(file, path)
