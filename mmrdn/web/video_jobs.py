# Copyright (c) mmrdn contributors. All rights reserved.
import json
import logging
import math
import os
import shutil
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from mmrdn.apis.video_inferencer import VideoInferencer
from mmrdn.utils.checks import check_score_thr
from mmrdn.utils.cli import describe
from mmrdn.utils.interrupts import hold_interrupts
from mmrdn.visualization.timeline import draw_timeline
from mmrdn.web.upload_directory import UploadDirectory
from mmrdn.web.upload_source import UploadSource

MAX_SECONDS, MAX_COUNT = 10**7, 10**9


@dataclass
class Job:
    """A video that was uploaded, and how far it is.

    Attributes:
        name (str): The user's name of the video.
        directory (Path): Directory of its files.
        state (str): 'waiting', 'running', 'done' or 'failed'.
        message (str): The error or the result, in a line.
        frames (int): Number of frames that are done.
        num_frames (int, optional): Number of all frames, if known.
        seconds (float): Duration of the video.
    """

    name: str
    directory: Path
    state: str = 'waiting'
    message: str = ''
    frames: int = 0
    num_frames: int | None = None
    seconds: float = 0.0


class VideoJobs:
    """A queue of videos that pass a detector one after another, in a thread.

    The files of a job are ``upload`` and, when it is done, ``annotated.mp4``, ``detections.jsonl``
    and ``timeline.svg``. They are in a temporary directory, which :meth:`close` removes.

    Args:
        inferencer (VideoInferencer): The detector.
        score_thr (float): Score below which detections are left out.
        max_seconds (float): Duration of the longest video that is taken.
        max_frames (int, optional): Number of frames of the longest video that is taken; 60 a second
            of ``max_seconds`` if not given.
        max_pixels (int): Number of pixels of the largest frame that is taken.
        max_jobs (int): Number of jobs that are kept; the oldest ones go first.
    """

    def __init__(
        self,
        inferencer: VideoInferencer,
        score_thr: float = 0.3,
        max_seconds: float = 120.0,
        max_frames: int | None = None,
        max_pixels: int = 3840 * 2160,
        max_jobs: int = 8,
    ) -> None:
        check_score_thr(score_thr)
        if not 0 < max_seconds <= MAX_SECONDS:
            raise ValueError(f'max_seconds must be positive, {MAX_SECONDS} at most, got {max_seconds}')
        if max_frames is None:
            max_frames = math.ceil(max_seconds * 60)
        for name, value in dict(max_frames=max_frames, max_pixels=max_pixels).items():
            if not 1 <= value <= MAX_COUNT:
                raise ValueError(f'{name} must be from 1 to {MAX_COUNT}, got {value}')
        self.inferencer = inferencer
        self.score_thr = score_thr
        self.max_seconds = max_seconds
        self.max_frames = max_frames
        self.max_pixels = max_pixels
        self.max_jobs = max_jobs
        self._files = UploadDirectory()
        self.root = self._files.path
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()
        self._worker = ThreadPoolExecutor(max_workers=1)
        self._closing = False

    def add(self, name: str, save: Callable[[Path], object]) -> str:
        """Take a video, check it, and let it wait for its turn.

        Args:
            name (str): The user's name of the video.
            save (callable): Function that writes the file to a path.

        Returns:
            str: Id of the job.

        Raises:
            ValueError: It is no video, or too long, or so many wait already that there is no room,
                or it cannot be kept.
        """
        key = uuid.uuid4().hex
        job = Job(name, self.root / key)
        with self._lock:
            self._make_room()
            self._jobs[key] = job
        try:
            job.directory.mkdir()
            save(job.directory / 'upload')
            source = UploadSource(job.directory / 'upload', name, self.max_frames, self.max_pixels)
            job.seconds = source.measure(self.max_seconds)
        except BaseException as error:
            with self._lock:
                self._drop(key)
            if isinstance(error, (ValueError, OSError)):
                raise ValueError(_explain(job, error)) from error
            raise
        self._worker.submit(self._run, job, source)
        return key

    def get(self, key: str) -> Job | None:
        """Return the job of an id, None if there is none (any more)."""
        return self._jobs.get(key)

    def close(self) -> None:
        """End the job that runs, forget the others, remove all files."""
        self._closing = True
        with hold_interrupts():
            self._worker.shutdown(cancel_futures=True)
            self._files.remove()

    def _make_room(self) -> None:
        """Forget the oldest job that ended, if there are too many."""
        if len(self._jobs) < self.max_jobs:
            return
        for key, job in self._jobs.items():
            if job.state in ('done', 'failed'):
                return self._drop(key)
        raise ValueError(f'{len(self._jobs)} videos wait already, try again later')

    def _drop(self, key: str) -> None:
        """Forget a job and remove its files; the lock must be held."""
        shutil.rmtree(self._jobs.pop(key).directory, ignore_errors=True)

    def _run(self, job: Job, source: UploadSource) -> None:
        """Detect, and draw the timeline; errors become the job's message."""
        job.state = 'running'

        def progress(frames: int, num_frames: int | None) -> None:
            if self._closing:
                raise InterruptedError('the server ends')
            job.frames, job.num_frames = frames, num_frames

        try:
            out_json = job.directory / 'detections.jsonl'
            summary = self.inferencer(
                source,
                out_video=job.directory / 'annotated.mp4',
                out_json=out_json,
                score_thr=self.score_thr,
                scale=None,
                overwrite=True,
                progress=progress,
            )
            frames = [json.loads(line) for line in out_json.read_text().splitlines()]
            draw_timeline(frames, self.inferencer.classes, job.seconds).savefig(job.directory / 'timeline.svg')
            job.message = f'{summary.detections} detections in {len(frames)} frames of {job.name}'
            if not summary.detections and summary.highest_score is not None:
                job.message += f', the highest score is {summary.highest_score:.2g}'
            if summary.truncated:
                job.message += ', which is truncated or damaged'
            job.state = 'done'
        except (ValueError, OSError) as error:
            job.message = _explain(job, error)
            job.state = 'failed'
        except Exception:
            logging.getLogger('mmrdn').exception('video %s', job.name)
            job.message = f'{job.name}: an unforeseen error; see the log of the server'
            job.state = 'failed'
        finally:
            # Nobody asks for these again, and the disk is there for others.
            for path in job.directory.glob('upload' if job.state == 'done' else '*'):
                path.unlink(missing_ok=True)


def _explain(job: Job, error: Exception) -> str:
    """Return the message of an error without the names of temporary files."""
    text = describe(error).replace(str(job.directory / 'upload'), job.name)
    text = text.replace(f'{job.directory}{os.sep}', '')
    return text.replace(str(job.directory), job.name)
