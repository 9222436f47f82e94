# Copyright (c) mmrdn contributors. All rights reserved.
import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO


@contextlib.contextmanager
def whole_file(path: str | os.PathLike) -> Iterator[IO[bytes]]:
    """Write a file that appears under its name when it is complete.

    A file of that name is replaced; if the block raises, it stays.

    Args:
        path (str or Path): Path of the file; its directory is made.

    Yields:
        IO[bytes]: File in the same directory, under another name.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'.{path.name}.{secrets.token_hex(8)}.partial')
    try:
        with open(partial, 'xb') as file:
            yield file
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
