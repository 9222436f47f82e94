# Copyright (c) mmrdn contributors. All rights reserved.
import contextlib
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path


class FileLocks:
    """Named locks that the processes of all hosts see through one file.

    They are POSIX locks on single bytes of the file, the byte of a name being its hash. The kernel
    (of NFS the server) frees those of a process that ends, however it ends, so there are no stale
    ones, and no clock is needed to tell. Threads of a process share its locks; children have none.

    Limits: the file system must pass locks on between hosts. NFSv4 does, NFSv3 with its lock
    daemon, Lustre mounted with ``flock``; those of a host that was cut off are freed by NFSv4 when its
    lease ends, by NFSv3 when the host is back.

    Args:
        path (Path): The file, made if need be. Nothing else in this process may open it.

    Raises:
        OSError: The file system has no locks.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = open(path, 'a+b')

    def close(self) -> None:
        """Free all locks of this process."""
        self._file.close()

    def take(self, name: str) -> bool:
        """Take a lock unless another process has it; return whether it was taken."""
        return self._lock(name, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def free(self, name: str) -> None:
        """Free a lock."""
        self._lock(name, fcntl.LOCK_UN)

    @contextlib.contextmanager
    def held(self, name: str) -> Iterator[None]:
        """Wait for a lock, and hold it in the block."""
        self._lock(name, fcntl.LOCK_EX)
        try:
            yield
        finally:
            self.free(name)

    def join(self, name: str, begin: Callable[[], object]) -> None:
        """Join the processes that share a lock, until this one ends.

        Args:
            name (str): Name of the lock.
            begin (callable): Function that is called if no other process has joined; those that come
                meanwhile wait for its end. If it does not end well, with the process or by an error
                (after which :meth:`close` is due), the next one begins.
        """
        with self.held(f'{name}/join'):  # one at a time: who has the lock and is not here has joined
            self._lock(name, fcntl.LOCK_SH)
            if self.take(name):
                begin()
                self._lock(name, fcntl.LOCK_SH)

    def _lock(self, name: str, operation: int) -> bool:
        byte = int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], 'big')
        try:
            fcntl.lockf(self._file, operation, 1, byte, os.SEEK_SET)
        except (BlockingIOError, PermissionError):  # POSIX allows either
            return False
        except OSError as error:
            reason = error.strerror
            raise OSError(
                f'{self.path}: this file system has no locks ({reason}); choose a directory on another'
            ) from None
        return True
