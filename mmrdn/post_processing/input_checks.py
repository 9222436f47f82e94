# Copyright (c) mmrdn contributors. All rights reserved.
"""Refuse what cannot be linked, in one line."""
from typing import List, Sequence

import numpy as np

_FIELDS = dict(bboxes=(4, ), scores=(), labels=())  # shapes behind n_t


def check_frames(frames: Sequence[dict]) -> List[dict]:
    """The fields of each frame as arrays, scores as floats.

    Raises:
        ValueError: A field is missing, has the wrong shape, is not finite, or
            a score is negative.
    """
    checked = []
    for t, frame in enumerate(frames):
        arrays, shape = dict(), None
        for field, rest in _FIELDS.items():
            if field not in frame:
                raise ValueError(f"frames[{t}] must have the field '{field}'")
            arrays[field] = np.asarray(frame[field])
        num = arrays['scores'].size
        for field, rest in _FIELDS.items():
            shape = (num, *rest)
            if num == 0 == arrays[field].size:
                arrays[field] = arrays[field].reshape(shape)
            if arrays[field].shape != shape:
                raise ValueError(f'frames[{t}].{field} must be {shape}, got '
                                 f'{arrays[field].shape}')
        if arrays['scores'].dtype.kind != 'f':
            arrays['scores'] = arrays['scores'].astype(np.float64)
        checked.append(arrays)
    for field in _FIELDS:
        _check_values(checked, field, np.isfinite, 'finite')
    _check_values(checked, 'scores', lambda scores: scores >= 0, '0 or more')
    return checked


def _check_values(frames: List[dict], field: str, test, expected: str) -> None:
    """Test all frames at once, and look for the one that fails if any does."""
    arrays = [frame[field] for frame in frames]
    if arrays and not test(np.concatenate(arrays)).all():
        t = next(t for t, a in enumerate(arrays) if not test(a).all())
        wrong = arrays[t][~test(arrays[t])]
        raise ValueError(f'frames[{t}].{field} must be {expected}, got '
                         f'{wrong.flat[0]}')


def check_relations(relations: Sequence, frames: List[dict]) -> None:
    """One for each pair of consecutive frames, of the right shape.

    Raises:
        ValueError: Otherwise, or if a weight is not finite.
    """
    pairs = max(len(frames) - 1, 0)
    if len(relations) != pairs:
        raise ValueError(f'relations must be {pairs}, one for each frame but '
                         f'the last, got {len(relations)}')
    for t, relation in enumerate(relations):
        if relation is None:
            continue
        shape = (len(frames[t]['scores']), len(frames[t + 1]['scores']))
        if relation.shape != shape:
            raise ValueError(f'relations[{t}] must be {shape}, got '
                             f'{relation.shape}')
        values = relation if isinstance(relation, np.ndarray) \
            else relation.data  # of a sparse array
        if not np.isfinite(values).all():
            raise ValueError(f'relations[{t}] must be finite')
