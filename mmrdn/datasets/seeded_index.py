# Copyright (c) mmrdn contributors. All rights reserved.
import random

import numpy as np
import torch


class SeededIndex(int):
    """An index into a data set that carries its position in the training.

    It stays one when a wrapper of data sets computes with it (``ConcatDataset`` subtracts an offset,
    ``RepeatDataset`` divides by a length), and when it is sent to a worker process.

    Args:
        index (int): Index of the sample.
        seed (int): Seed of the training.
        position (int): Number of indices that all ranks together drew before.
    """

    def __new__(cls, index: int, seed: int, position: int) -> 'SeededIndex':
        self = super().__new__(cls, index)
        self.seed, self.position = seed, position
        return self

    def __getnewargs__(self) -> tuple:
        return int(self), self.seed, self.position

    def __sub__(self, offset: int) -> 'SeededIndex':
        return SeededIndex(int(self) - offset, self.seed, self.position)

    def __mod__(self, length: int) -> 'SeededIndex':
        return SeededIndex(int(self) % length, self.seed, self.position)

    def seed_generators(self) -> None:
        """Seed Python, numpy and torch (CPU) for loading this sample."""
        entropy = np.random.SeedSequence([self.seed, self.position])
        words = entropy.generate_state(3)
        random.seed(int(words[0]))
        np.random.seed(words[1])
        # torch.manual_seed would queue a call for CUDA in every worker.
        torch.default_generator.manual_seed(int(words[2]))
