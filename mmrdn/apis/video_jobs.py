# Copyright (c) mmrdn contributors. All rights reserved.
import json
import logging
import shutil
import tempfile
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, Optional

from av.container import InputContainer
from av.video.stream import VideoStream

from mmrdn.utils.cli import describe
from mmrdn.video.sources.av_frames import open_container
from mmrdn.visualization.timeline import draw_timeline
from .video_inferencer import VideoInferencer

# What is taken for a video. FFmpeg reads much more: pictures, text, lists of
# other files.
_FORMATS = 'mov,mp4,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,h264'
_MOST_FPS = 60  # frames a second, of the longest video that is taken


@dataclass
class Job:
    """A video on its way.

    Attributes:
        name (str): What the user calls the video.
        folder (Path): Of its files.
        state (str): 'waiting', 'running', 'done' or 'failed'.
        message (str): What went wrong, or what came out.
        frames (int): That are done.
        num_frames (int, optional): In all, if known.
        seconds (float): How long the video is.
    """
    name: str
    folder: Path
    state: str = 'waiting'
    message: str = ''
    frames: int = 0
    num_frames: Optional[int] = None
    seconds: float = 0.


class VideoJobs:
    """Videos that pass a detector one after another, in a thread.

    The files of a job are ``upload`` and, when it is done, ``annotated.mp4``,
    ``detections.jsonl`` and ``timeline.svg``. They are in a temporary folder,
    which :meth:`close` removes.

    Args:
        inferencer (VideoInferencer): The detector.
        score_thr (float): Detections below it are left out.
        max_seconds (float): Longer videos are refused.
        max_pixels (int): Larger frames are refused.
        max_jobs (int): Jobs that are kept; the oldest ones go first.
    """

    def __init__(self,
                 inferencer: VideoInferencer,
                 score_thr: float = 0.3,
                 max_seconds: float = 120.,
                 max_pixels: int = 3840 * 2160,
                 max_jobs: int = 8) -> None:
        if score_thr != score_thr:
            raise ValueError(f'score_thr must be a number, got {score_thr}')
        if not max_seconds > 0:
            raise ValueError(
                f'max_seconds must be positive, got {max_seconds}')
        self.inferencer = inferencer
        self.score_thr = score_thr
        self.max_seconds = max_seconds
        self.max_frames = round(_MOST_FPS * max_seconds)
        self.max_pixels = max_pixels
        self.max_jobs = max_jobs
        self.root = Path(tempfile.mkdtemp(prefix='mmrdn-web-'))
        self._jobs: Dict[str, Job] = {}
        self._lock = threading.Lock()
        self._worker = ThreadPoolExecutor(max_workers=1)
        self._closing = False

    def add(self, name: str, save: Callable[[Path], object]) -> str:
        """Take a video, check it, and let it wait for its turn.

        Args:
            name (str): What the user calls it.
            save (callable): Writes the file to the path that it is given.

        Returns:
            str: Id of the job.

        Raises:
            ValueError: It is no video, or too long, or so many wait already
                that there is no room.
        """
        key = uuid.uuid4().hex
        job = Job(name, self.root / key)
        with self._lock:
            self._make_room()
            self._jobs[key] = job
        try:
            job.folder.mkdir()
            save(job.folder / 'upload')
            job.seconds = self._check(job)
        except BaseException:
            with self._lock:
                self._drop(key)
            raise
        self._worker.submit(self._run, job)
        return key

    def get(self, key: str) -> Optional[Job]:
        """The job of an id, None if there is none (any more)."""
        return self._jobs.get(key)

    def close(self) -> None:
        """End the job that runs, forget the others, remove all files."""
        self._closing = True
        self._worker.shutdown(cancel_futures=True)
        shutil.rmtree(self.root, ignore_errors=True)

    def _make_room(self) -> None:
        """Forget the oldest job that ended, if there are too many."""
        if len(self._jobs) < self.max_jobs:
            return
        for key, job in self._jobs.items():
            if job.state in ('done', 'failed'):
                return self._drop(key)
        raise ValueError(f'{len(self._jobs)} videos wait already, try again '
                         'later')

    def _drop(self, key: str) -> None:
        """Forget a job and remove its files."""
        shutil.rmtree(self._jobs.pop(key).folder, ignore_errors=True)

    def _check(self, job: Job) -> float:
        """How long a video is, in seconds."""
        path = job.folder / 'upload'
        if not path.stat().st_size:
            raise ValueError(f'{job.name} is empty')
        try:
            container, stream = open_container(
                f'file:{path}',
                job.name,
                options=dict(format_whitelist=_FORMATS))
        except OSError:  # FFmpeg's reason is of no help
            raise ValueError(f'{job.name} is no video, expected one such as '
                             'MP4, WebM, MKV, AVI or MPEG') from None
        with container:
            if stream.width * stream.height > self.max_pixels:
                raise ValueError(
                    f'{job.name} has frames of {stream.width}x{stream.height} '
                    f'pixels, expected {self.max_pixels} pixels at most')
            seconds = self._measure(job.name, container, stream)
        if seconds > self.max_seconds:
            raise ValueError(f'{job.name} is {seconds:.1f} seconds long, '
                             f'expected {self.max_seconds:g} at most')
        return seconds

    def _measure(self, name: str, container: InputContainer,
                 stream: VideoStream) -> float:
        """Seconds from the first frame to the end of the last.

        Raises:
            ValueError: There is no frame, or there are too many.
        """
        num, times = 0, []  # the first and the last one
        for packet in container.demux(stream):
            if not packet.size:
                continue
            num += 1
            if num > self.max_frames:
                raise ValueError(f'{name} has more than {self.max_frames} '
                                 'frames, which is too long')
            if packet.pts is not None:
                time = float(packet.pts * packet.time_base)
                times = [min(times + [time]), max(times + [time])]
        if not num:
            raise ValueError(f'{name} has no frames in it')
        rate = float(stream.guessed_rate or 25)
        return times[1] - times[0] + 1 / rate if times else num / rate

    def _run(self, job: Job) -> None:
        """Detect, and draw the timeline; errors become the job's message."""
        job.state = 'running'
        path = job.folder / 'upload'

        def progress(frames: int, num_frames: Optional[int]) -> None:
            if self._closing:
                raise InterruptedError('the server ends')
            job.frames, job.num_frames = frames, num_frames

        try:
            out_json = job.folder / 'detections.jsonl'
            summary = self.inferencer(
                str(path),
                out_video=job.folder / 'annotated.mp4',
                out_json=out_json,
                score_thr=self.score_thr,
                scale=None,
                overwrite=True,
                progress=progress)
            frames = [
                json.loads(line) for line in out_json.read_text().splitlines()
            ]
            draw_timeline(frames, self.inferencer.classes,
                          job.seconds).savefig(job.folder / 'timeline.svg')
            count = sum(len(frame['detections']) for frame in frames)
            job.message = (f'{count} detections in {len(frames)} frames of '
                           f'{job.name}')
            if summary.truncated:
                job.message += ', which is truncated or damaged'
            job.state = 'done'
        except (ValueError, OSError) as error:
            job.message = describe(error).replace(str(path), job.name)
            job.message = job.message.replace(f'{job.folder}/', '')
            job.state = 'failed'
        except Exception:
            logging.getLogger('mmrdn').exception('video %s', job.name)
            job.message = (f'{job.name}: an unforeseen error; the log of the '
                           'server says more')
            job.state = 'failed'
