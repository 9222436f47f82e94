# Copyright (c) mmrdn contributors. All rights reserved.
import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path

_PREFIX = 'mmrdn-web-'


class UploadDirectory:
    """A temporary directory that the next process removes if this one is killed.

    A locked file in it shows that its process is alive. Directories without that file, of other users,
    and those behind symbolic links are left alone.

    Attributes:
        path (Path): Empty directory in it.
    """

    def __init__(self) -> None:
        for other in Path(tempfile.gettempdir()).glob(f'{_PREFIX}*'):
            _remove_dead(other)
        self._directory = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self.path = self._directory / 'videos'
        self.path.mkdir()
        # Another process must not find the file before it is locked.
        new = self._directory / 'new'
        self._lock = new.open('x')
        with contextlib.suppress(OSError):  # without locks, the directory of a killed process stays
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            new.rename(self._directory / 'lock')

    def remove(self) -> None:
        """Remove the directory and its content."""
        shutil.rmtree(self._directory, ignore_errors=True)
        self._lock.close()


def _remove_dead(directory: Path) -> None:
    """Remove a directory of this class if its process is gone and was this user's."""
    with contextlib.suppress(OSError):  # no file, no right, or a lock
        if directory.is_symlink():
            return
        lock = os.open(directory / 'lock', os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            made = os.fstat(lock)
            if stat.S_ISREG(made.st_mode) and made.st_uid == directory.lstat().st_uid == os.getuid():
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(directory, ignore_errors=True)
        finally:
            os.close(lock)
