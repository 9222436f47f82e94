# Copyright (c) mmrdn contributors. All rights reserved.
"""The web application of the demo: drop a video on its page, see it annotated.

The page loads nothing from elsewhere, which its Content-Security-Policy makes the browser ensure,
and reports nothing to anybody.
"""

import contextlib
import ipaddress
import socket
from collections.abc import Iterator
from pathlib import Path, PurePath
from urllib.parse import urlsplit

from flask import Flask, Response, abort, jsonify, render_template, request, send_from_directory, url_for
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from mmrdn.utils.cli import describe
from mmrdn.visualization.timeline import LEFT, RIGHT
from mmrdn.web.video_jobs import Job, VideoJobs

_PAGE = Path(__file__).with_name('web_page')
_RESULTS = ('annotated.mp4', 'detections.jsonl', 'timeline.svg')
_HEADERS = {
    'Content-Security-Policy': "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; media-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    'Cache-Control': 'no-store',
}


def create_app(jobs: VideoJobs, title: str = 'Video object detection', max_mb: float = 200.0) -> Flask:
    """Create the web application.

    Args:
        jobs (VideoJobs): Queue that takes the videos.
        title (str): Title of the page.
        max_mb (float): Size of the largest file that is taken, in megabytes (10^6 bytes).

    Returns:
        Flask: Its URLs are ``/``, ``/videos`` (POST a form with a file ``video``), ``/videos/<id>``
        and ``/videos/<id>/<file>``.
    """
    if not max_mb > 0:
        raise ValueError(f'max_mb must be positive, got {max_mb}')
    app = Flask(__name__, template_folder=_PAGE, static_folder=_PAGE / 'static')
    max_bytes = int(max_mb * 1e6)
    too_large = f'the file is larger than {max_mb:g} MB'
    app.config['MAX_CONTENT_LENGTH'] = max_bytes + 10000  # the form around it
    _guard(app, too_large)

    @app.get('/')
    def page() -> str:
        limits = dict(max_mb=max_mb, max_bytes=max_bytes, too_large=too_large, max_seconds=jobs.max_seconds)
        return render_template('index.html', title=title, **limits)

    @app.post('/videos')
    def take_video() -> tuple[Response, int]:
        file = request.files.get('video')
        if file is None or not file.filename:
            abort(400, 'expected a form with a file "video"')
        try:
            key = jobs.add(PurePath(file.filename).name, file.save)
        except (ValueError, OSError) as error:
            abort(400, describe(error))
        return jsonify(address=url_for('state', key=key)), 202

    @app.get('/videos/<key>')
    def state(key: str) -> Response:
        return jsonify(_describe_job(key, _find(jobs, key)))

    @app.get('/videos/<key>/<name>')
    def result(key: str, name: str) -> Response:
        job = _find(jobs, key)
        if job.state != 'done' or name not in _RESULTS:
            abort(404, f'there is no {name} of this video')
        return send_from_directory(job.directory, name)

    return app


def _guard(app: Flask, too_large: str) -> None:
    """Refuse requests of other sites, add the headers that protect, answer errors in JSON."""

    @app.before_request
    def refuse_other_names() -> None:
        names = app.config.get('HOST_NAMES')
        if names and urlsplit(f'//{request.host}').hostname not in names:
            abort(400, 'this server has another name')

    @app.before_request
    def refuse_other_sites() -> None:
        site = request.headers.get('Sec-Fetch-Site', 'none')
        origin = request.headers.get('Origin')  # older browsers send this only
        is_foreign = origin is not None and origin.partition('://')[2] != request.host
        if request.method == 'POST' and (site not in ('same-origin', 'none') or is_foreign):
            abort(403, 'another site may not send videos here')

    @app.after_request
    def add_headers(response: Response) -> Response:
        response.headers.update(_HEADERS)
        return response

    @app.errorhandler(HTTPException)
    def explain(error: HTTPException) -> tuple[Response, int]:
        message = too_large if isinstance(error, RequestEntityTooLarge) else error.description
        return jsonify(message=message), error.code


def _find(jobs: VideoJobs, key: str) -> Job:
    """Return a job, or answer that there is none."""
    job = jobs.get(key)
    if job is None:
        abort(404, 'this video is not here (any more)')
    return job


def _describe_job(key: str, job: Job) -> dict:
    """Return the state of a job for the page."""
    told = dict(state=job.state, message=job.message, frames=job.frames, num_frames=job.num_frames)
    if job.state == 'done':
        told['plot'] = dict(left=LEFT, right=RIGHT, seconds=job.seconds)
        told['files'] = {name.split('.')[0]: url_for('result', key=key, name=name) for name in _RESULTS}
    return told


def _is_loopback(host: str) -> bool:
    """Return whether an IP address or a name is of this machine only."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == 'localhost'


class _QuietHandler(WSGIRequestHandler):
    """A request handler that prints no line for each request."""

    def log_request(self, *args, **kwargs) -> None:
        pass


@contextlib.contextmanager
def open_server(app: Flask, host: str = '127.0.0.1', port: int = 7860) -> Iterator[BaseWSGIServer]:
    """Open a server that listens; ``serve_forever()`` makes it answer.

    On a loopback address it answers to the names of that only, so that other sites cannot reach it
    under a name of theirs.

    Args:
        app (Flask): Application from :func:`create_app`.
        host (str): Name or IP address to listen at.
        port (int): Port to listen at, 0 for any that is free.

    Yields:
        BaseWSGIServer: The server, which knows its ``port``.

    Raises:
        OSError: The host is none of this machine, or the port is in use.
        ValueError: There is no such port.
    """
    if not 0 <= port <= 65535:
        raise ValueError(f'port must be from 0 to 65535, got {port}')
    if _is_loopback(host):
        # Not TRUSTED_HOSTS, where Werkzeug cuts ::1 at its first colon.
        app.config['HOST_NAMES'] = ('127.0.0.1', 'localhost', '::1', host)
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as listening:
        server = make_server(host, port, app, threaded=True, request_handler=_QuietHandler, fd=listening.fileno())
        try:
            yield server
        finally:
            server.server_close()
