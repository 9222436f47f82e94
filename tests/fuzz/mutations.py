# Copyright (c) mmrdn contributors. All rights reserved.
"""Checkpoints that are broken in a random way, each made from the seed alone."""

import copy
import random

import numpy as np
import torch

FLOAT8 = getattr(torch, 'float8_e4m3fn', None)


def _odd_tensors():
    tensors = [
        torch.eye(3).to_sparse(),
        torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
        torch.ones(3, device='meta'),
        torch.ones(1).expand(10**12),
        torch.ones(2, 2, dtype=torch.complex64),
        torch.tensor(float('nan')),
        torch.ones(0),
        torch.ones(3, dtype=torch.bool),
    ]
    return tensors + ([torch.ones(3).to(FLOAT8)] if FLOAT8 else [])


def _odd_values(rng):
    nested = []
    for _ in range(200):
        nested = [nested]
    itself = {}
    itself['itself'] = itself
    shared = [0]
    for _ in range(60):
        shared = [shared, shared]
    plain = [None, [], {}, (), '', 'text', 'a\x1b[31mb', -1, 0, 2**40, 10**30, 1e400, float('nan'), True, b'x', {1, 2}]
    plain += [{1: 2}, {None: 1}, [None], [[]], 'x' * 10**5, '\ud800', np.ones(3), np.float64(1), itself, nested, shared]
    return rng.choice([plain, _odd_tensors()])


def _containers(value, path=(), seen=None):
    """All dicts and lists in a value, each once, with their paths."""
    seen = set() if seen is None else seen
    if not isinstance(value, (dict, list)) or not value or id(value) in seen or len(path) > 20:
        return
    seen.add(id(value))
    yield path, value
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield from _containers(item, (*path, key), seen)


def mutated(base, seed):
    """A copy of a checkpoint with one to three things broken, and a description."""
    rng, content, done = random.Random(seed), copy.deepcopy(base), []
    for _ in range(rng.choice([1, 1, 2, 3])):
        by_field = {}
        for path, container in _containers(content):
            by_field.setdefault(path[:1], []).append((path, container))
        path, container = rng.choice(by_field[rng.choice(list(by_field))])
        key = rng.choice(list(container)) if isinstance(container, dict) else rng.randrange(len(container))
        place = '.'.join(map(str, (*path, key)))
        action = rng.choice(['replace', 'replace', 'replace', 'remove', 'rename', 'reshape'])
        if action == 'replace':
            container[key] = value = rng.choice(_odd_values(rng))
            done.append(f'{place} is a {type(value).__name__}')
        elif action == 'remove':
            del container[key]
            done.append(f'{place} is gone')
        elif action == 'rename' and isinstance(container, dict):
            new = rng.choice([0, None, b'x', '', 'x.y', 'a\nb', (1, 2), 1.5])
            container[new] = container.pop(key)
            done.append(f'{place} is named {new!r}')
        elif isinstance(container[key], torch.Tensor) and container[key].numel() < 10**6:
            container[key] = torch.cat([container[key].flatten()] * 2)
            done.append(f'{place} is twice as long')
    return content, '; '.join(done)


def damaged(data, seed):
    """The bytes of a file, cut short or with some of them changed."""
    rng, data = random.Random(seed), bytearray(data)
    if rng.random() < 0.3:
        return bytes(data[: rng.randrange(len(data))])
    # Most of a file is weights: one that is changed is no damage, but what comes before them is.
    for _ in range(rng.choice([1, 3, 30])):
        end = min(len(data), 60_000) if rng.random() < 0.7 else len(data)
        data[rng.randrange(end)] = rng.randrange(256)
    return bytes(data)
