# Copyright (c) mmrdn contributors. All rights reserved.
"""The HTTP server of the web page: waitress, with limits of time and answers in JSON."""

import contextlib
import errno
import json
import socket
import threading
import time
from collections.abc import Collection, Iterator
from typing import Any

from flask import Flask
from waitress.adjustments import Adjustments
from waitress.buffers import OverflowableBuffer
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import TcpWSGIServer
from waitress.utilities import BadRequest, Error, RequestEntityTooLarge

from mmrdn.utils.text import printable
from mmrdn.web.host_names import HostNames

FULL_DISK = 'the server has no room for the video, try again later'
TOO_LARGE = 'the file is larger than this server takes'
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_IDLE, _IDLE_CROWDED = 30, 3  # seconds without a byte after which a connection is closed
_MIN_RATE = 1000  # bytes a second that a request must come with, and its answer be taken
_MAX_HEADER = 65536  # bytes
_SEND_BUFFER = 65536  # bytes
_READ_ON = 2  # times the longest body, up to which longer ones are read to their end


class PageServer(TcpWSGIServer):
    """A server of one web application.

    Connections without traffic for a while are closed, sooner if new ones find no room. So are those
    that send or receive too slowly, and, after the first answer, those that send several requests at
    once. The rest of a body that is too large, or for which the disk has no room, is read and
    discarded: a client that is still sending would see no answer.

    Args:
        app (Flask): The application; it answers bodies longer than its ``MAX_CONTENT_LENGTH``.
        listening (socket.socket): Socket that listens.
    """

    def __init__(self, app: Flask, listening: socket.socket) -> None:
        self._ended = threading.Event()
        # Connections inherit it. In megabytes of the system's own, a client that takes nothing looks like a slow one.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        limits = Adjustments(
            sockets=[listening],
            threads=16,
            connection_limit=200,  # each with a temporary file or two
            cleanup_interval=1,
            asyncore_use_poll=True,
            max_request_header_size=_MAX_HEADER,
            max_request_body_size=_READ_ON * app.config['MAX_CONTENT_LENGTH'],
            clear_untrusted_proxy_headers=True,
            ident=None,
        )
        address = (listening.family, listening.type, listening.proto, listening.getsockname())
        super().__init__(app, {}, _sock=listening, adj=limits, sockinfo=address, bind_socket=False)
        self.channel_class = _Channel

    @property
    def port(self) -> int:
        """int: Port of the socket."""
        return int(self.effective_port)

    def maintenance(self, now: float) -> None:
        """Close connections that are too slow; waitress calls it every second."""
        seconds = _IDLE_CROWDED if self.in_connection_overflow else _IDLE
        for channel in [some for some in self.active_channels.values() if some.is_slow(now, seconds)]:
            channel.will_close = True
            channel.handle_close()  # not once it takes something, which it may never do

    def serve_forever(self) -> None:
        """Answer requests until :meth:`shutdown`."""
        while not self._ended.is_set():
            self.asyncore.loop(timeout=1, map=self._map, use_poll=True, count=1)

    def shutdown(self) -> None:
        """Let :meth:`serve_forever` return; from another thread."""
        self._ended.set()
        self.pull_trigger()

    def close(self) -> None:
        """Close all connections, end the threads."""
        self._ended.set()
        for channel in list(self.active_channels.values()):
            channel.handle_close()
        self.task_dispatcher.shutdown()
        super().close()


class _JsonError(Error):
    """An answer of the server itself, as the page understands it."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(printable(message))
        self.code, self.reason = code, reason

    def to_response(self, ident: str | None = None) -> tuple[str, list[tuple[str, str]], bytes]:
        body = json.dumps(dict(message=self.body)).encode()
        return f'{self.code} {self.reason}', [('Content-Type', 'application/json')], body


class _Body(OverflowableBuffer):
    """The body of a request; it can be forgotten, bytes are then only counted."""

    is_full = is_forgotten = False
    _length = 0

    def append(self, s: bytes) -> None:
        self._length += len(s)
        if self.is_forgotten:
            return
        try:
            super().append(s)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            self.is_full = True
            self.forget()

    def forget(self) -> None:
        """Forget the bytes that came, and all that will."""
        self.is_forgotten = True
        with contextlib.suppress(OSError):  # it holds bytes to be flushed
            self.close()
        self.buf, self.strbuf = None, b''

    def __len__(self) -> int:
        return self._length


class _Parser(HTTPRequestParser):
    """A parser that forgets bodies that there is no room for, and whose errors are JSON."""

    def __init__(self, adj: Adjustments) -> None:
        super().__init__(adj)
        self.started = time.time()

    def parse_header(self, header_plus: bytes) -> None:
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # of urlsplit, or of a number with 5000 digits
            raise ParsingError('URL or Content-Length is invalid') from error
        if self.path[:1] not in ('', '/', '*'):
            raise ParsingError('URL must be a path')
        if self.body_rcv is None:
            return
        self.body_rcv.buf = _Body(self.adj.inbuf_overflow)
        if self.content_length > self.adj.max_request_body_size // _READ_ON:
            self.body_rcv.buf.forget()
            if self.expect_continue:  # it waits for an answer
                self.expect_continue = False
                self.error, self.completed = RequestEntityTooLarge(''), True

    def received(self, data: bytes) -> int:
        consumed = super().received(data)
        body = self.body_rcv
        if self.chunked and len(body.control_line) + len(body.trailer) > _MAX_HEADER:
            self.error, self.completed = BadRequest('Chunk header or trailer is too long'), True
        if self.completed and self.error:
            code, message = self.error.code, self.error.body
            self.error = _JsonError(code, self.error.reason, TOO_LARGE if code == 413 else message)
        elif self.completed and body is not None and body.buf.is_full:
            self.error = _JsonError(507, 'Insufficient Storage', FULL_DISK)
        if self.completed and not self.empty and data[consumed:].strip():
            # Further requests, whose answers would wait with an open file each: one a connection at a time.
            self.headers['CONNECTION'] = 'close'
            return len(data)
        return consumed


class _Channel(HTTPChannel):
    """A connection."""

    parser_class = _Parser
    _taken, _offered_since = 0, 0.0  # bytes of what waits to be taken, and since when it does

    def is_slow(self, now: float, seconds: float) -> bool:
        """Return whether nothing came or was taken for some seconds, or both too slowly."""
        if self.total_outbufs_len >= (self.adj.send_bytes if self.requests else 1):
            started, size = self._offered_since, self._taken
        elif self.requests:  # its thread works
            return False
        elif self.request is not None:
            started, size = self.request.started, self.request.header_bytes_received + self.request.body_bytes_received
        else:
            started, size = self.last_activity, 0
        return now - max(self.last_activity, started) > seconds or now - started > seconds + size / _MIN_RATE

    def write_soon(self, data: Any) -> int:
        if not self.total_outbufs_len:
            self._taken, self._offered_since = 0, time.time()
        return super().write_soon(data)

    def send(self, data: bytes, do_close: bool = True) -> int:
        num_bytes = super().send(data, do_close)
        self._taken += num_bytes
        return num_bytes


def is_disk_full(error: BaseException | None) -> bool:
    """Return whether an error, or what it came from, is a full disk."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        error = error.__cause__
    return False


@contextlib.contextmanager
def open_server(
    app: Flask, host: str = '127.0.0.1', port: int = 7860, names: Collection[str] = ()
) -> Iterator[PageServer]:
    """Open a server that listens; ``serve_forever()`` makes it answer.

    It answers only under its own host names, so that other sites cannot reach it under theirs, see
    :class:`HostNames`.

    Args:
        app (Flask): Application from :func:`create_app`.
        host (str): Name or IP address to listen at.
        port (int): Port to listen at, 0 for any that is free.
        names (Collection[str]): Further names that the server is known by.

    Yields:
        PageServer: The server, which knows its ``port``.

    Raises:
        OSError: The host is not this machine, or the port is in use.
        ValueError: There is no such port, or no such name.
    """
    if not 0 <= port <= 65535:
        raise ValueError(f'port must be from 0 to 65535, got {port}')
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    try:
        if not host.strip():
            raise ValueError('empty')
        listening = socket.create_server((host, port), family=family)
    except ValueError:  # characters that no name has, or too many
        raise ValueError(f'host must be a name or an IP address, got {host!r}') from None
    with listening:
        app.config['HOST_NAMES'] = HostNames(host, names)
        with contextlib.closing(PageServer(app, listening)) as server:
            yield server
