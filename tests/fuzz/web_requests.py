# Copyright (c) mmrdn contributors. All rights reserved.
"""Requests of the web page, right and wrong ones, each with the status that HTTP and docs ask for."""

from collections.abc import Iterator

EDGE = b'--edge\r\nContent-Disposition: form-data; name="video"; filename="%s"\r\n\r\n'
END = b'\r\n--edge--\r\n'
FORM = 'Content-Type: multipart/form-data; boundary=edge'


def request(method: str, path: str, *headers: str, body: bytes = b'', host: str = 'localhost') -> bytes:
    """Return the bytes of a request; a body gets its Content-Length."""
    lines = [f'{method} {path} HTTP/1.1', f'Host: {host}', 'Connection: close', *headers]
    if body:
        lines.append(f'Content-Length: {len(body)}')
    return '\r\n'.join(lines).encode('latin-1') + b'\r\n\r\n' + body


def upload(content: bytes, name: bytes = b'a.mp4', *headers: str) -> bytes:
    """Return the request that sends a file."""
    return request('POST', '/videos', FORM, *headers, body=EDGE % name + content + END)


def chunked(*chunks: bytes) -> bytes:
    """Return a form sent in chunks."""
    body = b''.join(b'%x\r\n%s\r\n' % (len(chunk), chunk) for chunk in chunks)
    return request('POST', '/videos', FORM, 'Transfer-Encoding: chunked') + body


def requests(clip: bytes, done: str, failed: str, too_large: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield requests and their statuses.

    Args:
        clip (bytes): A small video.
        done (str): Path of a video's state that has results.
        failed (str): Path of one that has none.
        too_large (bytes): A file that is larger than the page takes.
    """
    yield from _methods(done, failed)
    yield from _paths(done, failed)
    yield from _headers(done, clip)
    yield from _bodies(clip, too_large)
    yield from _broken()


def _methods(done: str, failed: str) -> Iterator[tuple[bytes, int]]:
    files = [f'{done}/{name}' for name in ('annotated.mp4', 'detections.jsonl', 'timeline.svg')]
    for path in ('/', '/static/page.js', '/static/page.css', '/static/icon.svg', done, failed, *files):
        for method, status in dict(GET=200, HEAD=200, OPTIONS=200, POST=405, PUT=405, DELETE=405, TRACE=405).items():
            yield request(method, path), status
    for method, status in dict(POST=400, OPTIONS=200, GET=405, HEAD=405, PUT=405, PATCH=405, FOO=405).items():
        yield request(method, '/videos'), status
    yield request('get', '/'), 400  # methods have upper case
    yield request('CONNECT', 'localhost:80'), 400


def _paths(done: str, failed: str) -> Iterator[tuple[bytes, int]]:
    for path in (
        *('/x', '/videos/', '/videos/0', '/videos/%00', '/videos/%ff%fe', '/videos/..', '/videos/' + 'a' * 5000),
        *('/static', '/static/', '/static/none.js', '/static/%00', '/static/' + 'a' * 300, '/static/page.js/x'),
        *('/static/../index.html', '/static/..%2findex.html', '/static/%2e%2e/index.html'),
        *('/static/..%5cindex.html', '/static/C:/x', '/%2e%2e/%2e%2e/etc/passwd', '/../../etc/passwd', '/index.html'),
        *(
            f'{done}/upload',
            f'{done}/',
            f'{done}/..',
            f'{done}/%2e%2e',
            f'{done}/../../lock',
            f'{done}/%2fetc%2fpasswd',
        ),
        *(f'{done}/annotated.mp4/', f'{done}/annotated.mp4%00', f'{done}/ANNOTATED.mp4', f'{failed}/annotated.mp4'),
        *(f'{done.upper()}', f'{done}%0a', f'{done}%20', '/videos/%1b%5b2J', '/videos/%e9', '*'),
    ):
        yield request('GET', path), 404
    yield request('GET', f'/{done}'), 200  # waitress drops slashes at the start
    for path in ('/static//etc/passwd', '/static/%2fetc%2fpasswd', done.replace('/videos/', '/videos//')):
        yield request('GET', path), 308
    yield request('GET', '/?x=%ff&y[]=&' + 'z' * 5000), 200
    yield request('GET', 'http://localhost/'), 200
    yield request('GET', 'http://[bad/'), 400
    for path in ('/ x', '/videos/\xe9', 'videos', 'x:y', '..'):
        yield request('GET', path), 400


def _headers(done: str, clip: bytes) -> Iterator[tuple[bytes, int]]:
    for host in ('127.0.0.1', '127.0.0.1:80', 'LOCALHOST:7860', '[::1]', '[::1]:99'):
        yield request('GET', '/', host=host), 200
    for host in ('', 'evil.example', 'localhost.evil.example', 'localhost, evil.example', '[', '[::2]', '127.0.0.3'):
        yield request('GET', '/', host=host), 400
    for host in ('a' * 9000, '\xff', 'localhost:99999', 'localhost:x', 'evil@localhost', 'localhost/x', '%00', '-'):
        yield request('GET', '/', host=host), 400
    yield b'GET / HTTP/1.1\r\nConnection: close\r\n\r\n', 400  # HTTP/1.1 must have it
    yield request('GET', '/', 'Host: evil.example'), 400
    yield request('GET', '/x', host='evil.example'), 400
    video = f'{done}/annotated.mp4'
    for given in ('bytes=0-', 'bytes=0-0', 'bytes=4-7', 'bytes=-5', 'bytes=0-99999999999'):
        yield request('GET', video, f'Range: {given}'), 206
    for given in ('bytes=99999999999-', 'bytes=5-2', 'bytes=-0'):
        yield request('GET', video, f'Range: {given}'), 416
    for given in ('', 'x', 'lines=0-1', 'bytes=a-b', 'bytes=0-1,4-5', 'bytes=-99999999999', f'bytes={"9" * 5000}-'):
        yield request('GET', video, f'Range: {given}'), 200  # ignored
    yield request('GET', video, 'If-None-Match: "other"'), 200
    yield request('GET', video, 'If-None-Match: *'), 304
    yield request('GET', video, 'If-Modified-Since: Fri, 31 Dec 9999 23:59:59 GMT'), 304
    yield request('GET', video, 'If-Modified-Since: 99999999'), 200
    yield request('GET', video, 'If-Range: "other"', 'Range: bytes=0-1'), 200
    for header in ('Sec-Fetch-Site: cross-site', 'Sec-Fetch-Site: x', 'Origin: null', 'Origin: http://evil.example'):
        yield upload(clip, b'a.mp4', header), 403
    yield upload(clip, b'a.mp4', 'Origin: http://localhost', 'Sec-Fetch-Site: same-origin'), 202
    for header in (
        'Cookie: ' + 'a' * 9000,
        'Accept: \xff;q=x',
        'Accept-Encoding: *;q=9',
        'X-Forwarded-Host: evil.example',
    ):
        yield request('GET', '/', header), 200
    yield request('GET', '/', 'Upgrade: h2c', 'X-Forwarded-Host: evil.example'), 200
    yield request('GET', '/', 'X: ' + 'a' * 70000), 431
    yield request('GET', '/', *(f'X{i}: {"a" * 100}' for i in range(700))), 431
    yield request('GET', '/', 'no colon'), 400
    yield request('GET', '/', 'A : b'), 400
    yield request('GET', '/', 'A\0: b'), 400
    yield request('GET', '/', 'A: b\nC: d'), 400


def _bodies(clip: bytes, too_large: bytes) -> Iterator[tuple[bytes, int]]:
    yield upload(clip), 202
    for name in (b'\x1b[2J\x1b]0;x\x07.mp4', b'../../etc/x', b'..', b'/', b'a' * 3000, 'é\u202e.mp4'.encode()):
        yield upload(clip, name), 202
    for content in (
        b'',
        b'text' * 50,
        clip[:40],
        bytes(9000),
        b'#EXTM3U\n/etc/hostname\n',
        b'ffconcat version 1.0\nfile x\n',
    ):
        yield upload(content), 400
    yield upload(clip, b''), 400
    yield upload(clip, b'\xff\xfe'), 400  # forms are UTF-8
    yield upload(too_large), 413
    whole = EDGE % b'a.mp4' + clip + END
    for body, kind in (
        (whole, 'multipart/form-data'),
        (whole, 'multipart/form-data; boundary=other'),
        (whole, 'multipart/form-data; boundary=' + 'e' * 3000),
        (whole, 'multipart/form-data; boundary="\xff'),
        (whole, 'text/plain'),
        (whole, ''),
        (whole[:-9], 'multipart/form-data; boundary=edge'),
        (whole.replace(b'name="video"', b'name="other"'), 'multipart/form-data; boundary=edge'),
        (whole.replace(b'name="video"', b''), 'multipart/form-data; boundary=edge'),
        (whole.replace(b'Content-Disp', b'\xff\0'), 'multipart/form-data; boundary=edge'),
        (b'video=a', 'application/x-www-form-urlencoded'),
        (b'{"video": "a"}', 'application/json'),
    ):
        yield request('POST', '/videos', f'Content-Type: {kind}', body=body), 400
    part = b'--edge\r\nContent-Disposition: form-data; name="x"\r\n\r\ny\r\n'
    yield request('POST', '/videos', FORM, body=part * 1500 + whole), 413
    yield request('GET', '/', body=whole), 200
    yield chunked(whole[:9], whole[9:], b''), 202
    yield chunked(EDGE % b'a.mp4', too_large, END, b''), 413
    yield chunked(b''), 400


def _broken() -> Iterator[tuple[bytes, int]]:
    for length in ('-1', '+5', '1e3', '0x5', '', ' ', '5, 5', '5,6', '\xb2', '9' * 5000, 'x', '1_0'):
        yield request('POST', '/videos', FORM, f'Content-Length: {length}'), 400
    yield request('POST', '/videos', FORM, 'Content-Length: 5', 'Content-Length: 6') + b'12345', 400
    yield request('POST', '/videos', FORM, 'Content-Length: 99999999999'), 413
    yield request('POST', '/videos', FORM, 'Content-Length: 0'), 400
    yield request('POST', '/videos', FORM, 'Expect: 100-continue', 'Content-Length: 3000000'), 413
    head = request('POST', '/videos', FORM, 'Transfer-Encoding: chunked')
    for body in (
        b'x\r\n',
        b'-1\r\n',
        b'5\r\nhello!\r\n0\r\n\r\n',
        b'1;\0\r\n',
        b'9' * 70000,
        b'0\r\n' + b'A: b\r\n' * 20000,
    ):
        yield head + body, 400
    yield request('POST', '/videos', FORM, 'Transfer-Encoding: gzip'), 501
    yield request('POST', '/videos', FORM, 'Transfer-Encoding: chunked, chunked2'), 501
    for garbage in (b'\0\1\2\r\n\r\n', b'\x16\x03\x01\x02\r\n\r\n', b'GET\r\n\r\n', b'GET  / HTTP/1.1\r\n\r\n'):
        yield garbage, 400
    for line in (b'GET / HTTP/x', b'GET / HTTP/1.1 x', b'GET / FTP/1.1', b' GET', b'G\xffT / HTTP/1.1'):
        yield line + b'\r\nHost: localhost\r\n\r\n', 400
    yield b'GET / HTTP/1.0\r\nHost: localhost\r\n\r\n', 200
