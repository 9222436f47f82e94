# Copyright (c) mmrdn contributors. All rights reserved.
"""A server on loopback for files of a folder."""

import contextlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer


class _Handler(SimpleHTTPRequestHandler):
    """Says nothing; sends half of ``short-*``, no lengths of ``nolength/*``, ``endless`` bytes."""

    def log_message(self, *args):
        pass

    def do_GET(self):
        if '/endless' not in self.path:
            return super().do_GET()
        self.send_response(200)
        self.send_header('Transfer-Encoding', 'chunked')
        self.end_headers()
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(b'1000\r\n' + bytes(4096) + b'\r\n')

    def translate_path(self, path):
        return super().translate_path(path.replace('/nolength/', '/'))

    def send_header(self, keyword, value):
        if '/nolength/' not in self.path or keyword != 'Content-Length':
            super().send_header(keyword, value)

    def copyfile(self, source, outputfile):
        data = source.read()
        if '/short-' in self.path:
            data = data[: len(data) // 2]
        outputfile.write(data)


@contextlib.contextmanager
def serving(folder):
    """Serve a folder; gives its address."""
    server = ThreadingHTTPServer(('127.0.0.1', 0), partial(_Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)  # asks that often for its end
    thread.start()
    try:
        yield f'http://127.0.0.1:{server.server_port}'
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
