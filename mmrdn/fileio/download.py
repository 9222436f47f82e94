# Copyright (c) mmrdn contributors. All rights reserved.
"""Files from the network, whole or not at all.

``torch.hub.download_url_to_file`` is not enough: it waits without a timeout, keeps a download that
broke off, and names passwords in its errors.
"""

import contextlib
import hashlib
import http.client
import os
import re
import socket
import sys
import threading
from collections.abc import Iterator
from typing import IO, Any
from urllib.request import HTTPHandler, HTTPSHandler, Request, build_opener

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


def shown_url(name: str | os.PathLike) -> str:
    """Return a path as it is, and a URL without the secrets that may be in it.

    Args:
        name (str or Path): Path or URL, such as ``https://...`` or ``rtsp://...``.

    Returns:
        str: Text for messages and metadata, without password, query and fragment.
    """
    scheme = re.match('\\s*([a-z][a-z0-9+.-]*://)', str(name), re.IGNORECASE)
    if not scheme:
        return str(name)
    rest = str(name)[scheme.end() :]
    shown = re.split('[?#]', rest)[0]
    if '@' not in shown and re.match('[^/]*:(?![0-9]*(/|$))', shown):  # a password that holds one of these
        shown = re.split('[?#&]', rest.rpartition('@')[2])[0]
    return scheme[1] + shown.rpartition('@')[2]


def cache_name(url: str) -> str:
    """Return the file name of the copy of a URL in a cache.

    It is the name in the URL if that holds a hash, see :func:`named_hash`: wherever such a file
    comes from, it is the same. Others may have the same name in two URLs.

    Args:
        url (str): http(s) URL.

    Returns:
        str: File name; with the beginning of the SHA-256 of the URL, without its password, if
        the name holds no hash.
    """
    name = shown_url(url).rsplit('/', 1)[-1]
    if named_hash(name):
        return name
    digest = hashlib.sha256(re.sub('//[^/]*@', '//', url).encode()).hexdigest()
    stem, suffix = os.path.splitext(name)
    return f'{stem}.{digest[:16]}{suffix}'


def fetch(url: str, target: str | os.PathLike, max_bytes: int = 20 * 10**9, max_seconds: float = 6 * 3600) -> None:
    """Download a file, which appears under its name only when it is whole.

    A terminal shows a progress bar.

    Args:
        url (str): URL. If its file name holds a hash, see :func:`named_hash`, the file must have
            it.
        target (str or Path): Path of the copy; its directory is made.
        max_bytes (int): Size of the largest file that is taken.
        max_seconds (float): Duration of the longest download.

    Raises:
        OSError: The server cannot be reached, or has no such file.
        ValueError: The download broke off, took too long, is too large, another file, or nobody can
            tell whether it is whole. Nothing of it stays.
    """
    shown = shown_url(url)
    wanted = named_hash(shown)
    with whole_file(target) as file:
        try:
            request = Request(url, headers={'User-Agent': 'mmrdn'})
            with _opened(request, shown, max_seconds) as response:
                length = response.headers.get('Content-Length') or ''
                size = int(length) if re.fullmatch('[0-9]{1,18}', length) else None
                if size is None and wanted is None and not response.chunked:
                    raise ValueError(
                        f'{shown}: the server does not say how long the file is, and its name holds no hash, '
                        'so nobody can tell whether it is whole; download it yourself'
                    )
                _copy(response, file, shown, size, max_bytes)
        except http.client.InvalidURL:  # its message tells passwords
            raise OSError(f'{shown} cannot be downloaded: no valid URL') from None
        except http.client.IncompleteRead:
            raise ValueError(f'{shown}: the download broke off after {file.tell()} bytes; nothing was kept') from None
        except (OSError, http.client.HTTPException) as error:
            raise OSError(f'{shown} cannot be downloaded: {error}') from error
        if size is not None and file.tell() != size:
            raise ValueError(f'{shown}: the download broke off after {file.tell()} of {size} bytes; nothing was kept')
        file.flush()
        found = file_hash(file.name)[:8]
        if wanted is not None and found != wanted:
            raise ValueError(
                f'{shown} is corrupt: its SHA-256 starts with {found}, '
                f'expected {wanted} as in its name; nothing was kept'
            )


@contextlib.contextmanager
def _opened(request: Request, shown: str, max_seconds: float) -> Iterator[http.client.HTTPResponse]:
    """Yield the response to a request; all that is read must come in time, its headers too."""
    sockets: list[socket.socket] = []
    is_late = threading.Event()

    def end() -> None:
        is_late.set()
        for one in sockets:
            with contextlib.suppress(OSError):  # it is closed
                socket.socket.shutdown(one, socket.SHUT_RDWR)

    timer = threading.Timer(max_seconds, end)
    timer.daemon = True
    timer.start()
    try:
        opener = build_opener(_RecordingHTTPHandler(sockets), _RecordingHTTPSHandler(sockets))
        with opener.open(request, timeout=60) as response:
            yield response
    except Exception:  # what an end too early makes of headers and content
        if not is_late.is_set():
            raise
    finally:
        timer.cancel()
    if is_late.is_set():
        raise ValueError(f'{shown}: the download takes too long; nothing was kept')


class _Recording:
    """A mixin of handlers of urllib that records the sockets of their connections."""

    def __init__(self, sockets: list[socket.socket]) -> None:
        super().__init__()
        self._sockets = sockets

    def do_open(self, kind: type[http.client.HTTPConnection], request: Request, **options: Any) -> Any:
        sockets = self._sockets

        class Connection(kind):  # type: ignore[valid-type,misc]
            def connect(self) -> None:
                super().connect()
                sockets.append(self.sock)

        return super().do_open(Connection, request, **options)  # type: ignore[misc]


class _RecordingHTTPHandler(_Recording, HTTPHandler):
    pass


class _RecordingHTTPSHandler(_Recording, HTTPSHandler):
    pass


def _copy(response: http.client.HTTPResponse, file: IO[bytes], shown: str, size: int | None, max_bytes: int) -> None:
    """Copy the body of a response, with a progress bar, up to the size that :func:`fetch` takes."""
    # Here: mmrdn-runtime, which needs no more than shown_url, does without rich.
    from rich.console import Console
    from rich.progress import DownloadColumn, Progress

    columns = (*Progress.get_default_columns(), DownloadColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(shown.rsplit('/', 1)[-1], total=size)
        while max(size or 0, file.tell()) <= max_bytes:
            block = response.read1(1 << 16)
            if not block:
                return
            file.write(block)
            bar.advance(task, len(block))
    raise ValueError(f'{shown} is larger than {max_bytes} bytes; nothing was kept')
