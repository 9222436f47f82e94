# Copyright (c) mmrdn contributors. All rights reserved.
"""Files from the network, whole or not at all.

``torch.hub.download_url_to_file`` does not do: it waits without a timeout, keeps a download that
broke off, and names passwords in its errors.
"""

import hashlib
import http.client
import os
import re
import shutil
import sys
from urllib.request import Request, urlopen

from rich.console import Console
from rich.progress import wrap_file

from mmrdn.fileio.whole_file import whole_file

# name-1a2b3c4d.pth. Eight digits that begin as a date or with zeros are a date or the number of an
# iteration.
_NAMED_HASH = re.compile(r'-(?!(?:19|20|00)\d{6}\.)([0-9a-f]{8})\.pth$')


def named_hash(path: str | os.PathLike) -> str | None:
    """Return the beginning of the SHA-256 that a published file has in its name.

    Args:
        path (str or Path): Path or file name, such as ``rdn-1a2b3c4d.pth``.

    Returns:
        str or None: The first 8 hexadecimal digits; None if the name has none.
    """
    found = _NAMED_HASH.search(os.path.basename(path))
    return found and found.group(1)


def file_hash(path: str | os.PathLike) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def shown_url(checkpoint: str | os.PathLike) -> str:
    """Return a path as it is, and a URL without the secrets that may be in it.

    Args:
        checkpoint (str or Path): Path or http(s) URL.

    Returns:
        str: Text for messages and metadata, without password and query.
    """
    if not re.match('https?://', str(checkpoint)):
        return str(checkpoint)
    return re.sub('//[^/@]*@', '//', str(checkpoint).split('?')[0])


def fetch(url: str, target: str | os.PathLike) -> None:
    """Download a file, which appears under its name only when it is whole.

    A terminal shows a progress bar.

    Args:
        url (str): URL. If its file name holds a hash, see :func:`named_hash`, the file must have
            it.
        target (str or Path): Path of the copy; its directory is made.

    Raises:
        OSError: The server cannot be reached, or has no such file.
        ValueError: The download broke off, or is another file. Nothing of it stays.
    """
    shown = shown_url(url)
    with whole_file(target) as file:
        try:
            request = Request(url, headers={'User-Agent': 'mmrdn'})
            with urlopen(request, timeout=60) as response:
                size = int(response.headers.get('Content-Length', -1))
                with wrap_file(
                    response,
                    total=max(size, 0) or None,
                    description=shown.rsplit('/', 1)[-1],
                    console=Console(stderr=True),
                    disable=not sys.stderr.isatty(),
                ) as reader:
                    shutil.copyfileobj(reader, file)
        except http.client.InvalidURL:  # its message tells passwords
            raise OSError(f'{shown} cannot be downloaded: no valid URL') from None
        except (OSError, http.client.HTTPException) as error:
            raise OSError(f'{shown} cannot be downloaded: {error}') from error
        if size >= 0 and file.tell() != size:
            raise ValueError(f'{shown}: the download broke off after {file.tell()} of {size} bytes; nothing was kept')
        file.flush()
        wanted, found = named_hash(shown), file_hash(file.name)[:8]
        if wanted is not None and found != wanted:
            raise ValueError(
                f'{shown} is corrupt: its SHA-256 starts with {found}, '
                f'expected {wanted} as in its name; nothing was kept'
            )
