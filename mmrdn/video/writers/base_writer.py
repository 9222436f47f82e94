# Copyright (c) mmrdn contributors. All rights reserved.
import os
from abc import ABCMeta, abstractmethod
from pathlib import Path

from mmrdn.fileio.whole_file import partial_path, publish


class BaseWriter(metaclass=ABCMeta):
    """A file that is there as a whole or not at all.

    It grows under a temporary name in the directory of the final one and is moved by :meth:`close`.
    As a context manager it closes at the end and after Ctrl-C, which ends a run early but not
    wrongly; any other exception leaves nothing.

    Args:
        path (str or Path): Final name. Its directory is made if there is none.
        overwrite (bool): Whether it may be there already.

    Raises:
        FileExistsError: It is; names it.
    """

    def __init__(self, path: str | Path, overwrite: bool = False) -> None:
        self.path = Path(path)
        self.overwrite = overwrite
        self.refuse_existing(path, overwrite)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Writers create it ('x'), with the permissions that any new file gets.
        self.partial = partial_path(self.path)
        self.num_frames = 0
        self._ended = False

    @staticmethod
    def refuse_existing(path: str | Path, overwrite: bool = False) -> None:
        """Raise FileExistsError if something must not be written."""
        if os.path.isdir(path):
            raise FileExistsError(f'{path} is a directory, expected a file')
        if os.path.exists(path) and not overwrite:
            raise FileExistsError(f'{path} exists; move it, choose another name or pass --overwrite')

    @abstractmethod
    def write(self, *args, **kwargs) -> None:
        """Write a frame; subclasses take an image and a time, a frame, or detections."""

    def _finish(self) -> None:
        """Complete the temporary file, where that needs more than writing frames."""

    def _discard(self) -> None:
        """Close and remove the temporary file, whatever state it is in."""
        self.partial.unlink(missing_ok=True)

    def _publish(self) -> None:
        """Give the complete file its name."""
        publish(self.partial, self.path, self.overwrite)

    def close(self) -> None:
        """Complete the file; discard it if no frame was written."""
        if self._ended:
            return
        if not self.num_frames:
            return self.abort()
        try:
            self._finish()
            self._publish()
        except BaseException:
            self.abort()
            raise
        self._ended = True

    def abort(self) -> None:
        """Discard the file."""
        if not self._ended:
            self._ended = True
            self._discard()

    def __enter__(self) -> 'BaseWriter':
        return self

    def __exit__(self, kind, error, trace) -> None:
        if kind is None or issubclass(kind, KeyboardInterrupt):
            self.close()
        else:
            self.abort()
