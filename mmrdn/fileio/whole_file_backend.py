# Copyright (c) mmrdn contributors. All rights reserved.
import os

from mmengine.fileio import LocalBackend, register_backend

from mmrdn.fileio.whole_file import whole_file


class WholeFileBackend(LocalBackend):
    """MMEngine's files on a local disk, each whole or not there at all.

    MMEngine writes checkpoints through it: a run that is killed meanwhile leaves the ones before.
    """

    def put(self, obj: bytes, filepath: str | os.PathLike) -> None:
        """Write bytes, see :func:`mmrdn.fileio.whole_file.whole_file`."""
        with whole_file(filepath) as file:
            file.write(obj)

    def put_text(self, obj: str, filepath: str | os.PathLike, encoding: str = 'utf-8') -> None:
        """Write text in the same way."""
        self.put(obj.encode(encoding), filepath)


# All local files of MMEngine are written through it once this module is imported.
register_backend('local', WholeFileBackend, force=True, prefixes='')
