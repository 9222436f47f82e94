# Copyright (c) mmrdn contributors. All rights reserved.
import contextlib
import os
import tempfile
from pathlib import Path
from typing import IO, Iterator, Union


@contextlib.contextmanager
def whole_file(path: Union[str, os.PathLike]) -> Iterator[IO[bytes]]:
    """Write a file that appears under its name when it is complete.

    What was there is replaced; if the block raises, it stays.

    Args:
        path (str or Path): The file; its folder is made.

    Yields:
        IO[bytes]: A file in the same folder, under another name.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(
        prefix=f'.{path.name}.', dir=path.parent)
    os.close(handle)
    try:
        with open(partial, 'wb') as file:
            yield file
        os.chmod(partial, 0o644)  # mkstemp makes it private
        os.replace(partial, path)
    except BaseException:
        os.unlink(partial)
        raise
