# Copyright (c) mmrdn contributors. All rights reserved.
import itertools
import pickle
import random

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler as MMEngineDefaultSampler
from mmengine.dataset import InfiniteSampler
from torch.utils.data import DataLoader

from mmrdn.datasets import DefaultSampler, SeededIndex, SeededInfiniteSampler


class Draws:
    """A data set whose samples are random numbers, as a pipeline's are."""

    def __len__(self):
        return 5

    def __getitem__(self, idx):
        idx.seed_generators()
        return [int(idx), idx.position, random.random(), np.random.rand(), torch.rand(1).item()]


def loaded(workers, skip=0, count=12, seed=3):
    sampler = SeededInfiniteSampler(range(5), seed=seed)
    if skip:
        sampler.indices = itertools.islice(sampler.indices, skip, None)
    loader = DataLoader(Draws(), batch_size=2, sampler=sampler, num_workers=workers, collate_fn=list)
    return list(itertools.islice(iter(loader), count // 2))


def test_same_order_as_mmengine():
    ours = itertools.islice(SeededInfiniteSampler(range(5), seed=3), 23)
    theirs = itertools.islice(InfiniteSampler(range(5), seed=3), 23)
    assert list(ours) == list(theirs)


@pytest.mark.slow
def test_samples_depend_on_their_place_alone():
    """Not on workers, on what was drawn before, or on where one starts."""
    expected = loaded(0)
    random.seed(1), torch.manual_seed(1)
    assert loaded(0) == expected
    assert loaded(2) == expected
    assert loaded(1, skip=4, count=8) == expected[2:]
    assert loaded(0, seed=4) != expected
    numbers = [n for batch in expected for sample in batch for n in sample[2:]]
    assert len(set(numbers)) == 36  # also where an index comes again


def test_ranks_share_the_stream(monkeypatch):
    expected = list(itertools.islice(InfiniteSampler(range(5), seed=3), 20))
    streams = []
    for rank in range(2):
        monkeypatch.setattr('mmengine.dataset.sampler.get_dist_info', lambda: (rank, 2))
        sampler = SeededInfiniteSampler(range(5), seed=3)
        streams.append(list(itertools.islice(sampler, 10)))
    assert [i.position for i in streams[1]] == list(range(1, 20, 2))
    both = [index for pair in zip(*streams) for index in pair]
    assert both == expected


@pytest.mark.parametrize('shuffle, round_up, size', [(True, True, 5), (False, False, 5), (True, False, 4)])
def test_epochs_of_seeded_indices(shuffle, round_up, size, monkeypatch):
    """Two ranks take the order of MMEngine's sampler, and no two samples of three epochs have one position."""
    positions = []
    for rank in range(2):
        monkeypatch.setattr('mmengine.dataset.sampler.get_dist_info', lambda: (rank, 2))
        options = dict(shuffle=shuffle, round_up=round_up, seed=3)
        ours, theirs = (kind(range(size), **options) for kind in (DefaultSampler, MMEngineDefaultSampler))
        for epoch in (0, 2, 1):
            ours.set_epoch(epoch), theirs.set_epoch(epoch)
            indices = list(ours)
            assert indices == list(theirs)
            assert {index.seed for index in indices} == {3}
            assert [index.position for index in ours] == [index.position for index in indices]
            positions += [index.position for index in indices]
    total = 6 if round_up else size
    assert sorted(positions) == list(range(3 * total))


def test_data_sets_for_testing_get_plain_indices():
    """As nothing of a test is random; its samples seed nothing that a training draws."""
    dataset = type('Testing', (list,), dict(test_mode=True))([0, 0, 0])
    assert {type(index) for index in DefaultSampler(dataset, seed=0)} == {int}


@pytest.mark.parametrize('protocol', range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_index_on_its_way(protocol):
    """Through ConcatDataset's subtraction and to a worker."""
    index = SeededIndex(7, seed=3, position=11) - 5
    index = pickle.loads(pickle.dumps(index, protocol))
    assert (index, index.seed, index.position) == (2, 3, 11)
    assert isinstance(index, SeededIndex)
    assert ['a', 'b', 'c'][index] == 'c'
