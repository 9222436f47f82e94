# Copyright (c) mmrdn contributors. All rights reserved.
import contextlib
import errno
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from mmrdn.engine.distributed.file_locks import FileLocks
from mmrdn.fileio.json_files import read_json, write_json
from mmrdn.fileio.whole_file import whole_file
from mmrdn.inference.video_list import VideoList, directory_name
from mmrdn.utils.cli import printable

_STATE = '.mmrdn'


class ResultsDirectory:
    """Outputs of many videos, which processes of any number of hosts fill together.

    ::

        clip.mp4/        outputs of the video clip.mp4, there as a whole or not at all
        failures.jsonl   the videos that could not be read, or not to their ends
        .mmrdn/          settings.json, locks, and the directories partial, running, failed and damaged

    A process holds a lock while it has a video, see :class:`FileLocks`. The lock only saves work: a
    result appears by one rename, whoever made it, so two processes that had the same video could
    do no harm. Processes whose times overlap are one run; the first one of a run forgets
    the failures of earlier runs, so that these videos are tried again.

    Args:
        path (str or Path): The directory, made if need be.
        videos (VideoList): The videos.
        settings (dict): All that the outputs depend on, by name.

    Raises:
        FileExistsError: The directory holds other files.
        ValueError: It holds results of other settings; names these.
    """

    def __init__(self, path: str | Path, videos: VideoList, settings: dict) -> None:
        self.path = Path(path)
        self.videos = {directory_name(name): name for name in videos.paths}
        self.path.mkdir(parents=True, exist_ok=True)
        there = os.listdir(self.path)
        if there and _STATE not in there:
            raise FileExistsError(f'directory {path} holds other files, such as {there[0]}; choose an empty one')
        state = self.path / _STATE
        directories = [state / name for name in ('partial', 'running', 'failed', 'damaged')]
        for directory in directories:
            directory.mkdir(parents=True, exist_ok=True)
        self._partial, self._running, self._failed, self._damaged = directories
        self._settings = state / 'settings.json'
        self.locks = FileLocks(state / 'locks')
        try:
            # With a slash, which the key of no video has.
            self.locks.join('/run', lambda: self._begin(settings))
            self._check_settings(settings)
        except BaseException:
            self.close()
            raise

    def _begin(self, settings: dict) -> None:
        """Forget the failures of an earlier run, and remove files that it left when it was killed."""
        self._check_settings(settings)
        for record in (*self._failed.iterdir(), *self._running.iterdir()):
            record.unlink()
        for directory in (self.path, self._settings.parent, self._damaged):
            for leftover in directory.glob('.*.partial'):  # of whole_file
                leftover.unlink()
        if not self._settings.exists():
            write_json(settings, self._settings)

    def _check_settings(self, settings: dict) -> None:
        """Compare the settings with those of earlier runs."""
        if not self._settings.exists():
            return
        there, now = read_json(self._settings), json.loads(json.dumps(settings))
        changes = [
            f'{key} {_shown(there.get(key))}, now {_shown(now.get(key))}'
            for key in {**there, **now}
            if there.get(key) != now.get(key)
        ]
        if changes:
            raise ValueError(
                f'{self.path} holds results of other settings ({"; ".join(changes)}): choose another directory'
            )

    def close(self) -> None:
        """Leave the run."""
        self.locks.close()

    # --------------------------------------------------------------- progress

    def finished(self) -> set[str]:
        """Return the keys of the videos whose outputs exist."""
        with os.scandir(self.path) as entries:
            return self.videos.keys() & {entry.name for entry in entries if entry.is_dir()}

    def failures(self) -> set[str]:
        """Return the keys of the videos that failed in this run, or are damaged."""
        failed, damaged = set(os.listdir(self._failed)), set(os.listdir(self._damaged))
        return self.videos.keys() & (failed | damaged & self.finished())

    def done(self) -> set[str]:
        """Return the keys of the videos that are finished or failed in this run."""
        return self.finished() | (self.videos.keys() & set(os.listdir(self._failed)))

    def num_frames_running(self) -> int:
        """Return the number of finished frames of unfinished videos, over all processes."""
        total = 0
        for record in self._running.iterdir():
            # Its video is done meanwhile; a shared file system has other errors for that.
            with contextlib.suppress(OSError, ValueError):
                total += int(record.read_text() or 0)
        return total

    def tell(self, key: str, num_frames: int) -> None:
        """Tell other processes how many frames of a video are done.

        Args:
            key (str): A video that this process has.
            num_frames (int): Number of frames.
        """
        with contextlib.suppress(OSError):  # worth no video
            (self._running / key).write_text(str(num_frames))

    # ------------------------------------------------------------------- work

    def take(self) -> str | None:
        """Take the next free video; return its key, or None if there is none at the moment.

        Videos begun by processes that were killed come last: such a video may need too much memory.
        """
        done = self.done()
        begun = {name.rpartition('.')[0] for name in os.listdir(self._partial)}
        for key in sorted((key for key in self.videos if key not in done), key=begun.__contains__):
            if self.locks.take(key):
                if key not in self.done():  # by whoever had it meanwhile
                    return key
                self.locks.free(key)
        return None

    @contextlib.contextmanager
    def writing(self, key: str) -> Iterator[Path]:
        """Give a directory for the outputs of a video that was taken; publish it if the block ends well.

        Yields:
            Path: An empty directory.
        """
        self._clear(key)
        directory = self._partial / f'{key}.{secrets.token_hex(4)}'
        directory.mkdir()
        try:
            yield directory
            for path in directory.rglob('*'):
                _sync(path)
            try:
                directory.rename(self.path / key)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) or not (self.path / key).is_dir():
                    raise
        finally:
            shutil.rmtree(directory, ignore_errors=True)
            (self._running / key).unlink(missing_ok=True)

    def _clear(self, key: str) -> None:
        """Remove files of a video that killed processes left."""
        for name in os.listdir(self._partial):
            if name.rpartition('.')[0] == key:
                shutil.rmtree(self._partial / name)
        (self._damaged / key).unlink(missing_ok=True)

    def record(self, key: str, error: str, damaged: bool = False) -> None:
        """Record what is wrong with a video.

        Args:
            key (str): The video.
            error (str): One line.
            damaged (bool): Whether it has outputs nevertheless, which are not published yet.
        """
        line = json.dumps(dict(video=self.videos[key], error=error))
        with whole_file((self._damaged if damaged else self._failed) / key) as file:
            file.write(f'{line}\n'.encode())

    def write_failures(self) -> None:
        """Rewrite ``failures.jsonl``, in the order of names; remove it if there are no failures."""
        path = self.path / 'failures.jsonl'
        with self.locks.held('/failures'):
            damaged = (record for record in self._damaged.iterdir() if (self.path / record.name).is_dir())
            records = [record for record in [*self._failed.iterdir(), *damaged] if not record.name.startswith('.')]
            lines = [record.read_bytes() for record in sorted(records, key=lambda record: record.name)]
            if lines:
                with whole_file(path) as file:
                    file.writelines(lines)
            else:
                path.unlink(missing_ok=True)


def _shown(value: object) -> str:
    """Return a setting in a few words."""
    text = printable(json.dumps(value))
    return text if len(text) <= 300 else f'{text[:297]}...'


def _sync(path: Path) -> None:
    """Let a file survive a crash of the machine."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
