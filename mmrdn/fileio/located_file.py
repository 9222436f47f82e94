# Copyright (c) mmrdn contributors. All rights reserved.
import os
import re
from collections.abc import Callable
from pathlib import Path

from mmrdn.fileio.download import shown_url


def read_located(path: str | os.PathLike, kind: str = '', get: Callable[[str], bytes] | None = None) -> bytes:
    """Return the content of a file at a path, or a URL that MMEngine can read.

    Args:
        path (str or Path): Path or URL.
        kind (str): What it is, for messages, such as ``image``.
        get (callable, optional): Reader of MMEngine for it; that of its scheme if not given.

    Raises:
        FileNotFoundError: There is no such file.
        OSError: It cannot be read. One line names it, without passwords.
    """
    name = f'{kind} {shown_url(path)}'.strip()
    path = os.fspath(path)
    try:
        if get is None and '://' not in path:
            return Path(path).read_bytes()
        if get is None:
            from mmengine.fileio import get  # with torch
        # MMEngine knows schemes in lower case only.
        return get(re.sub('^ *[A-Za-z][A-Za-z0-9+.-]*://', lambda scheme: scheme[0].strip().lower(), path))
    except (FileNotFoundError, IsADirectoryError):
        raise FileNotFoundError(f'{name} does not exist') from None
    except Exception as error:  # of any backend; some tell passwords
        reason = getattr(error, 'strerror', None) or (str(error) if isinstance(error, OSError) else 'no valid URL')
        raise OSError(f'{name} cannot be read: {" ".join(reason.split())}') from None
