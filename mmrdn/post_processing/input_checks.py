# Copyright (c) mmrdn contributors. All rights reserved.
"""Refuse what cannot be linked, in one line."""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array, issparse

from mmrdn.utils.arrays import to_numpy

_FIELDS = dict(bboxes=(4,), scores=(), labels=())  # shapes behind n_t


def check_frames(frames: Sequence[dict]) -> list[dict]:
    """The fields of each frame as arrays, scores as floats.

    Raises:
        ValueError: A field is missing, has the wrong shape or kind, is not finite, or a score is
            negative or a label broken.
    """
    checked = []
    for t, frame in enumerate(frames):
        for field in _FIELDS:
            if field not in frame:
                raise ValueError(f"frames[{t}] must have the field '{field}'")
        arrays = {field: to_numpy(frame[field]) for field in _FIELDS}
        num = arrays['scores'].size
        for field, rest in _FIELDS.items():
            shape = (num, *rest)
            if num == 0 == arrays[field].size:
                arrays[field] = arrays[field].reshape(shape)
            if arrays[field].shape != shape:
                raise ValueError(f'frames[{t}].{field} must be {shape}, got {arrays[field].shape}')
            if arrays[field].dtype.kind not in 'biuf':
                raise ValueError(f'frames[{t}].{field} must be numbers, got {arrays[field].dtype}')
        if arrays['scores'].dtype.kind != 'f':
            arrays['scores'] = arrays['scores'].astype(np.float64)
        checked.append(arrays)
    for field in _FIELDS:
        _check_values(checked, field, np.isfinite, 'finite')
    _check_values(checked, 'scores', lambda scores: scores >= 0, '0 or more')
    _check_values(checked, 'labels', lambda labels: labels == np.floor(labels), 'whole numbers')
    return checked


def _check_values(frames: list[dict], field: str, test, expected: str) -> None:
    """Test all frames at once, and look for the one that fails if any does."""
    arrays = [frame[field] for frame in frames]
    if arrays and not test(np.concatenate(arrays)).all():
        t = next(t for t, a in enumerate(arrays) if not test(a).all())
        wrong = arrays[t][~test(arrays[t])]
        raise ValueError(f'frames[{t}].{field} must be {expected}, got {wrong.flat[0]}')


def check_relations(relations: Sequence, frames: list[dict]) -> list[np.ndarray | csr_array | None]:
    """One for each pair of consecutive frames, as arrays.

    Raises:
        ValueError: They are others, of the wrong shape, or a weight is not finite or so large that
            its exp is not.
    """
    pairs = max(len(frames) - 1, 0)
    if len(relations) != pairs:
        raise ValueError(f'relations must be {pairs}, one for each frame but the last, got {len(relations)}')
    checked = []
    for t, relation in enumerate(relations):
        if relation is not None:
            shape = (len(frames[t]['scores']), len(frames[t + 1]['scores']))
            sparse = issparse(relation)
            relation = csr_array(relation) if sparse else to_numpy(relation)
            if not sparse and relation.size == 0 == shape[0] * shape[1]:
                relation = relation.reshape(shape)
            if relation.shape != shape:
                raise ValueError(f'relations[{t}] must be {shape}, got {relation.shape}')
            values = relation.data if sparse else relation
            if not (np.isfinite(values) & (values < 100)).all():
                raise ValueError(f'relations[{t}] must be finite and below 100 (omega-bar is at most 1)')
        checked.append(relation)
    return checked
