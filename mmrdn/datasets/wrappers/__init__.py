# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.datasets.wrappers.class_balanced_dataset import ClassBalancedDataset
from mmrdn.datasets.wrappers.concat_dataset import ConcatDataset
from mmrdn.datasets.wrappers.random_sample_concat_dataset import RandomSampleConcatDataset
from mmrdn.datasets.wrappers.repeat_dataset import RepeatDataset

__all__ = ['ClassBalancedDataset', 'ConcatDataset', 'RandomSampleConcatDataset', 'RepeatDataset']
