# Copyright (c) mmrdn contributors. All rights reserved.

from mmtrack.structures import TrackDataSample


def support_samples(data_sample: TrackDataSample, num_supports: int, prefix: str = 'ref_') -> list[TrackDataSample]:
    """One data sample for each support frame of a training sample.

    mmtrack packs the meta information of supports as ``ref_<key>``: a list over supports, or the
    bare value where there is one support.

    Args:
        data_sample (TrackDataSample): A training sample.
        num_supports (int): How many support frames it comes with.
        prefix (str): What mmtrack puts before the keys.

    Returns:
        list[TrackDataSample]: With the meta information under plain keys.
    """
    packed = {key[len(prefix) :]: value for key, value in data_sample.metainfo.items() if key.startswith(prefix)}
    return [
        TrackDataSample(metainfo={key: value if num_supports == 1 else value[i] for key, value in packed.items()})
        for i in range(num_supports)
    ]
