# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Sequence

from torch import Tensor

# Names that data sets (COCO, Pascal VOC) give to classes of ImageNet VID.
_SYNONYMS = dict(aeroplane='airplane', boat='watercraft', cat='domestic_cat', cow='cattle', motorbike='motorcycle')


def match_classes(target: Sequence[str], source: Sequence[str]) -> list[int | None]:
    """For each class, the place of the same class among others.

    Args:
        target (Sequence[str]): Names of the classes.
        source (Sequence[str]): Names that the others have.

    Returns:
        list[int | None]: One for each of ``target``; None without counterpart.
    """
    places = {}
    for place, name in enumerate(source):
        places.setdefault(_canonical(name), place)
    return [places.get(_canonical(name)) for name in target]


def _canonical(name: str) -> str:
    name = name.lower().replace(' ', '_').replace('-', '_')
    return _SYNONYMS.get(name, name)


def class_logit_rows(initial: Tensor, source: Tensor, matches: Sequence[int | None]) -> Tensor:
    """Rows of the classifier: known classes and background, the last one.

    Args:
        initial (Tensor): (C + 1, ...) values for classes without counterpart.
        source (Tensor): (C' + 1, ...).
        matches (Sequence[int | None]): Of :func:`match_classes`, C of them.

    Returns:
        Tensor: (C + 1, ...).
    """
    rows = initial.clone()
    for target, place in enumerate(matches):
        if place is not None:
            rows[target] = source[place]
    rows[-1] = source[-1]
    return rows


def class_delta_rows(initial: Tensor, source: Tensor, matches: Sequence[int | None]) -> Tensor:
    """Rows of the box regressor, 4 for each class or 4 in all.

    Args:
        initial (Tensor): (4 C, ...) or (4, ...).
        source (Tensor): (4 C', ...), or (4, ...), which any class can use.
        matches (Sequence[int | None]): Of :func:`match_classes`, C of them.

    Returns:
        Tensor: In the shape of ``initial``.

    Raises:
        ValueError: ``source`` has rows for each class, ``initial`` has not.
    """
    if len(source) == 4:
        return source.repeat(len(initial) // 4, *[1] * (source.ndim - 1))
    if len(initial) == 4:
        raise ValueError('its boxes depend on the class, those of the model do not')
    rows = initial.clone()
    for target, place in enumerate(matches):
        if place is not None:
            rows[4 * target : 4 * target + 4] = source[4 * place : 4 * place + 4]
    return rows
