# Copyright (c) mmrdn contributors. All rights reserved.
"""A server on loopback for files of a folder."""

import contextlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer


class _Handler(SimpleHTTPRequestHandler):
    """Says nothing, and of ``short-*`` sends half of what it announces."""

    def log_message(self, *args):
        pass

    def copyfile(self, source, outputfile):
        data = source.read()
        if '/short-' in self.path:
            data = data[: len(data) // 2]
        outputfile.write(data)


@contextlib.contextmanager
def serving(folder):
    """Serve a folder; gives its address."""
    server = ThreadingHTTPServer(('127.0.0.1', 0), partial(_Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f'http://127.0.0.1:{server.server_port}'
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
