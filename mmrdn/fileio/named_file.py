# Copyright (c) mmrdn contributors. All rights reserved.
import os
from pathlib import Path


def read_named(path: str | os.PathLike) -> bytes:
    """Return the content of a file that a user named.

    Raises:
        FileNotFoundError: There is no such file; names it in one line.
        ValueError: It is a directory.
    """
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(f'{path} does not exist') from None
    except IsADirectoryError:
        raise ValueError(f'{path} is a directory, expected a file') from None
