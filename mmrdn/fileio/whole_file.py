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
    partial = partial_path(path)
    try:
        with open(partial, 'xb') as file:
            yield file
        publish(partial, path, overwrite)
    finally:
        partial.unlink(missing_ok=True)


def partial_path(path: Path) -> Path:
    """Return a name beside a path for a file that is not whole yet; nobody can guess it and put a link there."""
    return path.with_name(f'.{path.name}.{secrets.token_hex(8)}.partial')


def publish(partial: Path, path: Path, overwrite: bool) -> None:
    """Give a whole file, which is closed, its name.

    Raises:
        FileExistsError: ``overwrite`` is False, and another file has the name by now.
    """
    with open(partial, 'rb') as file:
        os.fsync(file.fileno())  # else a crash of the machine may leave the name without the content
    if not overwrite:
        try:
            os.link(partial, path)  # never replaces a file
            partial.unlink()
            return _keep_name(path.parent)
        except OSError as error:  # or a file system without links
            if isinstance(error, FileExistsError) or os.path.lexists(path):
                raise FileExistsError(f'{path} was written by something else meanwhile; choose another name') from None
    os.replace(partial, path)
    _keep_name(path.parent)


def _keep_name(directory: Path) -> None:
    """Let the names in a directory survive a crash of the machine, where its file system can do that."""
    with contextlib.suppress(OSError):
        number = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
