# Copyright (c) mmrdn contributors. All rights reserved.
import os
import tempfile
from pathlib import Path

import torch


class NewCheckpoint:
    """A checkpoint file to be written, which must not exist.

    Args:
        path (str): The file.

    Raises:
        FileExistsError: It is there already.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path).expanduser()
        self._check()

    def _check(self) -> None:
        if os.path.lexists(self.path):
            raise FileExistsError(f'{self.path} exists; choose another name')

    def save(self, checkpoint: dict) -> None:
        """Write it, whole or not at all.

        Raises:
            FileExistsError: It has come into being meanwhile.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix='.mmrdn-', dir=self.path.parent) as folder:
            file = Path(folder) / self.path.name
            torch.save(checkpoint, file)
            self._check()
            try:
                os.link(file, self.path)
            except FileExistsError:
                self._check()
                raise
            except OSError:  # a file system without links
                os.replace(file, self.path)
