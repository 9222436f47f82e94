# Copyright (c) mmrdn contributors. All rights reserved.
"""The web application of the demo: drop a video on its page, see it annotated.

The page loads nothing from elsewhere, which its Content-Security-Policy makes the browser ensure,
and sends no data to third parties.
"""

import contextlib
import json
import re
from pathlib import Path, PurePath
from typing import IO

from flask import Flask, Request, Response, jsonify, render_template, request, send_from_directory, url_for
from werkzeug import Response as WerkzeugResponse
from werkzeug.exceptions import Aborter, HTTPException

from mmrdn.utils.cli import describe
from mmrdn.utils.text import printable
from mmrdn.visualization.timeline import LEFT, RIGHT
from mmrdn.web.page_server import FULL_DISK, is_disk_full
from mmrdn.web.video_jobs import Job, VideoJobs

MAX_MB = 10**6

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


class _Request(Request):
    """A request that keeps the temporary files of its body, so that they are always closed."""

    def _get_file_stream(self, *args, **kwargs) -> IO[bytes]:
        stream = super()._get_file_stream(*args, **kwargs)
        self.spools = [*getattr(self, 'spools', ()), stream]
        return stream


class _Page(Flask):
    request_class = _Request


class InsufficientStorage(HTTPException):
    """507, which Werkzeug does not have."""

    code = 507
    description = FULL_DISK


abort = Aborter(extra={507: InsufficientStorage})


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
    if not 0 < max_mb <= MAX_MB:
        raise ValueError(f'max_mb must be positive, {MAX_MB} at most, got {max_mb}')
    app = _Page(__name__, template_folder=_PAGE, static_folder=_PAGE / 'static')
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
        try:
            file = request.files.get('video')
            if file is None or not file.filename:
                abort(400, 'expected a form with a file "video"')
            key = jobs.add(_plain_name(file.filename), file.save)
        except (ValueError, OSError) as error:
            if is_disk_full(error):
                abort(507, FULL_DISK)
            abort(400, describe(error))
        return jsonify(address=url_for('state', key=key)), 202

    @app.get('/videos/<key>')
    def state(key: str) -> Response:
        return jsonify(_describe_job(key, _find(jobs, key)))

    @app.get('/videos/<key>/<name>')
    def result(key: str, name: str) -> Response:
        job = _find(jobs, key)
        if job.state != 'done' or name not in _RESULTS:
            abort(404, f'there is no {printable(name)} of this video')
        _ignore_odd_range(request, job.directory / name)
        return send_from_directory(job.directory, name)

    return app


def _guard(app: Flask, too_large: str) -> None:
    """Refuse requests of other sites, add the headers that protect, answer errors in JSON."""

    @app.before_request
    def refuse_other_names() -> None:
        names = app.config.get('HOST_NAMES')
        if names and request.host not in names:
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

    @app.teardown_request
    def remove_spools(error: BaseException | None) -> None:
        for spool in getattr(request, 'spools', ()):
            with contextlib.suppress(OSError):  # it holds bytes for a full disk
                spool.close()

    @app.errorhandler(HTTPException)
    def explain(error: HTTPException) -> WerkzeugResponse:
        response = error.get_response()  # with headers such as Allow
        is_long = error.code == 413 and (request.content_length or 0) > app.config['MAX_CONTENT_LENGTH']
        response.data = json.dumps(dict(message=too_large if is_long else error.description))
        response.content_type = 'application/json'
        return response


def _ignore_odd_range(asked: Request, path: Path) -> None:
    """Let a request be one for the whole file if Werkzeug refuses its range, but HTTP does not.

    These are ranges of other units, several at once, and last bytes more than there are.
    """
    given = asked.headers.get('Range', '')
    plain = re.fullmatch(r'bytes=(?:\d{1,15}-\d{0,15}|-(\d{1,15}))', given)
    if plain is None or (plain[1] and path.exists() and int(plain[1]) > path.stat().st_size):
        asked.environ.pop('HTTP_RANGE', None)


def _plain_name(name: str) -> str:
    """Return the last part of a file name, without codes that a terminal would obey."""
    return printable(PurePath(name).name)[:200] or 'video'


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
