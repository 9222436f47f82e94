# Copyright (c) mmrdn contributors. All rights reserved.
# A name is imported when it is used: converters need neither torch nor OpenMMLab. mmrdn.registry
# says where what is registered lies.
import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        'every_frame_dataset': ['EveryFrameDataset'],
        'imagenet_vid_dataset': ['ImageNetVIDDataset'],
        'moving_digits_dataset': ['MovingDigitsDataset'],
        'samplers': ['DefaultSampler', 'RemainingFrames', 'SeededInfiniteSampler', 'VideoSampler'],
        'seeded_index': ['SeededIndex'],
        'seeded_samples': ['SeededSamples'],
        'transforms': [
            'LoadFrame',
            'LoadTrackAnnotations',
            'PackTrackInputs',
            'ShorterSideResize',
            'SkippableFrame',
            'TransformBroadcaster',
            'collate_skippable',
        ],
        'video_det_dataset': ['VideoDetDataset'],
        'wrappers': ['ClassBalancedDataset', 'ConcatDataset', 'RandomSampleConcatDataset', 'RepeatDataset'],
    },
)
