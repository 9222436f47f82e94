# Copyright (c) mmrdn contributors. All rights reserved.
import errno
import functools
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import torch

from mmrdn.inference.linked_frames import Progress
from mmrdn.inference.results_directory import ResultsDirectory
from mmrdn.inference.video_outputs import VideoSummary
from mmrdn.utils.cli import describe, is_user_error, printable
from mmrdn.utils.frame_progress import FrameProgress

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
# Makes the outputs of the video at a path in a directory.
Detect = Callable[[str, Path, Progress], VideoSummary]


class ManyVideos:
    """Videos that several processes detect in, each of them taking the next free one.

    Args:
        results (ResultsDirectory): Directory of the outputs, which this process has joined.
        paths (dict[str, str]): Path of each video by its name.
        detect (callable): Function that detects in one video.
        progress (FrameProgress): Progress of all processes, in videos, with the frames of those that are under way.
        device (torch.device): Device of the detector.
        interval (float): Seconds between two looks at the progress of the others.
    """

    def __init__(
        self,
        results: ResultsDirectory,
        paths: dict[str, str],
        detect: Detect,
        progress: FrameProgress,
        device: torch.device,
        interval: float = 1.0,
    ) -> None:
        self.results = results
        self.paths = paths
        self.detect = detect
        self.progress = progress
        self.device = device
        self.interval = interval
        self._shown = 0.0  # when

    def run(self) -> int:
        """Work until all videos are done, by whichever process; return the number of failures.

        The videos of processes that are killed meanwhile are taken over.
        """
        results = self.results
        try:
            while len(results.done()) < len(results.videos):
                key = results.take()
                if key is None:
                    time.sleep(self.interval)
                else:
                    try:
                        self._work(key)
                    finally:
                        results.locks.free(key)
                self._show()
            results.write_failures()
        except KeyboardInterrupt:
            done = f'{len(results.done())} of {len(results.videos)} videos are done'
            raise KeyboardInterrupt(f'interrupted; {done}; run the same command again to continue') from None
        self._show()
        return len(results.failures())

    def _work(self, key: str) -> None:
        """Detect in a video, and record what is wrong with it."""
        name, directory = self.results.videos[key], self.results.path
        try:
            with self.results.writing(key) as directory:
                summary = self.detect(self.paths[name], directory, functools.partial(self._tick, key))
                if summary.truncated:
                    error = f'truncated or damaged: the outputs hold what decodes, {summary.frames} frames'
                    self.results.record(key, error, damaged=True)
        except Exception as error:
            if not self._is_of_video(error):
                raise
            if not is_user_error(error) and os.environ.get('MMRDN_TRACEBACK') == '1':
                traceback.print_exception(error)
            text = describe(error) if is_user_error(error) else f'{type(error).__name__}: {describe(error)}'
            text = text.replace(f'{directory}{os.sep}', '')
            self.results.record(key, text)
            print(f'error: {printable(name)}: {text}', file=sys.stderr)
        else:
            if not summary.truncated:
                return
        self.results.write_failures()

    def _is_of_video(self, error: Exception) -> bool:
        """Return whether an error concerns one video only: there is disk space, and the device works."""
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            return False
        try:
            torch.zeros(1, device=self.device).cpu()
        except RuntimeError:
            return False
        return True

    def _tick(self, key: str, num_frames: int, total: int | None = None) -> None:
        """Report how far a video is and show the progress, once an interval at most."""
        if time.monotonic() - self._shown > self.interval:
            self.results.tell(key, num_frames)
            self._show()

    def _show(self) -> None:
        done, failed, running = self.results.done(), self.results.failures(), self.results.num_frames_running()
        note = f'{len(failed)} failed' + (f', {running} frames of those under way' if running else '')
        self.progress.update(len(done), len(self.results.videos), note)
        self._shown = time.monotonic()
