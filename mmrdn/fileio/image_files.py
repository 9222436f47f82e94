# Copyright (c) mmrdn contributors. All rights reserved.
import io

from PIL import Image

# How a whole file begins and, at the latest a few bytes before its end, ends.
_MARKS = ((b'\xff\xd8', b'\xff\xd9'), (b'\x89PNG', b'IEND'))


def looks_truncated(content: bytes) -> bool:
    """Whether the end of a JPEG or PNG file is missing.

    Only a file that lacks its end mark is decoded (by Pillow, which insists on all of the pixels):
    some writers leave the mark out.

    Args:
        content (bytes): The file.
    """
    for first, last in _MARKS:
        if content.startswith(first) and last not in content[-64:]:
            try:
                Image.open(io.BytesIO(content)).load()
            except (OSError, SyntaxError):
                return True
    return False
