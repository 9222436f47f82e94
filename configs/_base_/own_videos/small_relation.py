# What RDN of small detectors has beside the detector. Two bases may not share a key, so the part of
# the model has a name of its own here.
_base_ = ['../datasets/own_videos.py', '../schedules/movingdigits_1500.py', '../default_runtime.py']
small_relation = dict(
    temporal_range=6,  # frames, T
    neck=dict(type='RelationAggregator', in_channels=256),
    support_sampler=dict(type='SelectiveSupportSampler', num_support=16),  # K
)
