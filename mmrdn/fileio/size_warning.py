# Copyright (c) mmrdn contributors. All rights reserved.


Size = tuple[int | None, int | None]


def size_warning(number: int, path: str | None, shape: Size, said: Size) -> str:
    """Return a line about images whose size is not the one that the file of annotations says.

    Args:
        number (int): Number of such images.
        path (str, optional): One of them.
        shape (tuple[int, int]): Its height and width, pixels.
        said (tuple[int, int]): The same in the file.
    """
    (height, width), (said_height, said_width) = shape, said
    turned = ', maybe for its EXIF orientation' if (height, width) == (said_width, said_height) else ''
    return (
        f'{number} images are not of the size that the file of annotations says, so that boxes may not fit: '
        f'{path} has {width}x{height} pixels, expected {said_width}x{said_height}{turned}'
    )
