# Copyright (c) mmrdn contributors. All rights reserved.
"""Files from the network, whole or not at all."""

import hashlib
import http.client
import os
import re
import shutil
import sys
from typing import IO
from urllib.request import Request, urlopen

from rich.console import Console
from rich.progress import wrap_file

from mmrdn.fileio.whole_file import whole_file

# name-1a2b3c4d.pth. Eight digits that begin as a date or with zeros are a date or the number of an
# iteration.
_NAMED_HASH = re.compile(r'-(?!(?:19|20|00)\d{6}\.)([0-9a-f]{8})\.pth$')


def named_hash(path: str | os.PathLike) -> str | None:
    """The beginning of the SHA-256 that a published file has in its name.

    Args:
        path (str or Path): Such as ``rdn-1a2b3c4d.pth``.

    Returns:
        str or None: Its first 8 hexadecimal digits; None if it has none.
    """
    found = _NAMED_HASH.search(os.path.basename(path))
    return found and found.group(1)


def file_hash(path: str | os.PathLike) -> str:
    """SHA-256 of a file in hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def shown_address(checkpoint: str | os.PathLike) -> str:
    """A path as it is; an address without the secrets that may be in it.

    Args:
        checkpoint (str or Path): File or http(s) address.

    Returns:
        str: For messages and metadata: no password, no query.
    """
    if not re.match('https?://', str(checkpoint)):
        return str(checkpoint)
    return re.sub('//[^/@]*@', '//', str(checkpoint).split('?')[0])


def fetch(url: str, target: str | os.PathLike) -> None:
    """Download a file, which appears under its name only when it is whole.

    Args:
        url (str): Address; if its file name holds a hash, the file must have it, see
            :func:`named_hash`.
        target (str or Path): Where to; its folder is made.

    Raises:
        OSError: The server cannot be reached, or has no such file.
        ValueError: The download broke off, or is another file. Nothing of it stays.
    """
    shown = shown_address(url)
    with whole_file(target) as file:
        _copy(url, shown, file)
        file.flush()
        wanted, found = named_hash(shown), file_hash(file.name)[:8]
        if wanted is not None and found != wanted:
            raise ValueError(
                f'{shown} is corrupt: its SHA-256 starts with {found}, '
                f'expected {wanted} as in its name; nothing was kept'
            )


def _copy(url: str, shown: str, file: IO[bytes]) -> None:
    """Copy what the server sends, with a progress bar in a terminal."""
    try:
        request = Request(url, headers={'User-Agent': 'mmrdn'})
        with urlopen(request, timeout=60) as response:
            size = response.headers.get('Content-Length')
            size = int(size) if size else None
            with wrap_file(
                response,
                total=size,
                description=shown.rsplit('/', 1)[-1],
                console=Console(stderr=True),
                disable=not sys.stderr.isatty(),
            ) as reader:
                shutil.copyfileobj(reader, file)
    except http.client.InvalidURL:  # its message tells passwords
        raise OSError(f'{shown} cannot be downloaded: no valid address') from None
    except (OSError, http.client.HTTPException) as error:
        raise OSError(f'{shown} cannot be downloaded: {error}') from error
    if size is not None and file.tell() != size:
        raise ValueError(f'{shown}: the download broke off after {file.tell()} of {size} bytes; nothing was kept')
