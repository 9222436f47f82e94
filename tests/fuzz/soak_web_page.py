# Copyright (c) mmrdn contributors. All rights reserved.
"""Many uploads, good and bad ones, some at once; then the web page must be as it was before.

``test_soak_web_page.py`` sends a few; by hand:
``python tests/fuzz/soak_web_page.py --uploads 500 --at-once 8``.
"""

import argparse
import contextlib
import gc
import json
import os
import random
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

TESTS = Path(__file__).resolve().parents[1]
for directory in (TESTS, TESTS.parent):
    if str(directory) not in sys.path:
        sys.path.insert(0, str(directory))

from fuzz.web_requests import EDGE, END  # noqa: E402
from helpers.web import FakeInferencer, write_clip  # noqa: E402
from mmrdn.web.page_server import open_server  # noqa: E402
from mmrdn.web.video_jobs import VideoJobs  # noqa: E402
from mmrdn.web.web_demo import create_app  # noqa: E402

MAX_MB = 1
BOUNDS = dict(threads=0, descriptors=0, files=0, megabytes=64)
# Each kind of file with the statuses that it may get; a good one is refused while too many wait.
KINDS = dict(good=(202, 400), cut=(202, 400), text=(400,), empty=(400,), large=(413,))


def make_files(directory: Path) -> dict[str, bytes]:
    """Return the content of a file of each kind."""
    clip = write_clip(directory / 'clip.mp4', 12, (256, 256)).read_bytes()
    return dict(good=clip, cut=clip[:-100], text=b'just a text\n' * 50000, empty=b'', large=bytes(int(1.5e6)))


def ask(url: str, body: bytes | None = None) -> tuple[int, bytes]:
    """Return status and body of an answer."""
    headers = {'Content-Type': 'multipart/form-data; boundary=edge'} if body is not None else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


class Soak:
    """A web page and clients that send files to it.

    Args:
        url (str): The page.
        files (dict): Content of a file of each kind.
    """

    def __init__(self, url: str, files: dict[str, bytes]) -> None:
        self.url = url
        self.files = files
        self.outcomes: Counter = Counter()
        self.faults: list[str] = []

    def send(self, seed: int) -> None:
        """Send a file of a kind drawn by lot; see what became of it."""
        kind = random.Random(seed).choice(list(self.files))
        try:
            status, body = ask(f'{self.url}/videos', EDGE % b'a.mp4' + self.files[kind] + END)
            told = json.loads(body)
            outcome = f'{kind} {status}'
            if status == 202:
                outcome = f'{kind} {self._wait(told["address"])}'
            elif not told['message'] or not told['message'].isprintable():
                self.faults.append(f'{kind}: {told}')
            if status not in KINDS[kind] or ask(self.url)[0] != 200:
                self.faults.append(f'{kind}: {status} {told}')
        except Exception as error:
            outcome = type(error).__name__
            self.faults.append(f'{kind}: {error!r}')
        self.outcomes[outcome] += 1

    def _wait(self, address: str) -> str:
        for _ in range(1200):
            status, body = ask(self.url + address)
            state = json.loads(body).get('state', 'forgotten') if status in (200, 404) else str(status)
            if state in ('done', 'failed', 'forgotten'):
                return state
            time.sleep(0.05)
        raise TimeoutError(address)


def measure(jobs: VideoJobs) -> dict[str, float]:
    """Return what the process uses: threads, descriptors, files of results that are not kept, megabytes."""
    gc.collect()
    process = psutil.Process()
    kept = {job.directory for job in list(jobs._jobs.values())}
    files = [path for path in jobs.root.rglob('*') if path.is_file() and kept.isdisjoint(path.parents)]
    return dict(
        threads=process.num_threads(),
        descriptors=process.num_fds(),
        files=len(files) + len(os.listdir(tempfile.gettempdir())),
        megabytes=process.memory_info().rss / 1e6,
    )


def soak(uploads: int, at_once: int, directory: Path, tell: Callable[[str], object] = print) -> list[str]:
    """Send files to a page; return what is wrong.

    The first uploads, a fifth, warm it up: eight results are kept by then, and allocators have what
    they keep.

    Args:
        uploads (int): Number of files.
        at_once (int): Number of clients.
        directory (Path): Empty directory.
        tell (callable): Function that takes lines of figures.
    """
    with (
        contextlib.closing(VideoJobs(FakeInferencer(), 0.4, 2.0)) as jobs,
        open_server(create_app(jobs, max_mb=MAX_MB), port=0) as server,
        ThreadPoolExecutor(at_once) as clients,
    ):
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            run = Soak(f'http://127.0.0.1:{server.port}', make_files(directory))
            warm = max(uploads // 5, 25)
            list(clients.map(run.send, range(warm)))
            before = _when_idle(server, jobs)
            start = time.time()
            list(clients.map(run.send, range(warm, max(uploads, warm))))
            seconds = time.time() - start
            after = _when_idle(server, jobs)
        finally:
            server.shutdown()
            thread.join()
    if jobs.root.exists():
        run.faults.append('the files stay')
    for name, bound in BOUNDS.items():
        tell(f'{name}: {before[name]:g} before, {after[name]:g} after')
        if after[name] > before[name] + bound:
            run.faults.append(f'{name}: {before[name]:g} before, {after[name]:g} after')
    tell(f'{max(uploads, warm)} uploads, the last {max(uploads - warm, 0)} in {seconds:.0f} s: {dict(run.outcomes)}')
    return run.faults


def _when_idle(server, jobs: VideoJobs) -> dict[str, float]:
    """Measure when all connections are closed and no job runs."""
    end = time.time() + 60
    while time.time() < end:
        if not server.active_channels and all(job.state in ('done', 'failed') for job in list(jobs._jobs.values())):
            break
        time.sleep(0.1)
    return measure(jobs)


def main() -> None:
    """Run from the command line; the exit status is 1 if something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--uploads', type=int, default=500, help='number of files (default: %(default)s)')
    parser.add_argument('--at-once', type=int, default=8, help='number of clients (default: %(default)s)')
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        tempfile.tempdir = directory
        faults = soak(args.uploads, args.at_once, Path(directory))
    for fault in faults:
        print(fault)
    print(f'{len(faults)} faults')
    sys.exit(bool(faults))


if __name__ == '__main__':
    main()
