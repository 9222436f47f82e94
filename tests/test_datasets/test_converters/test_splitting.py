# Copyright (c) mmrdn contributors. All rights reserved.
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrdn.datasets.converters.annotated_video import AnnotatedVideo, Track, TrackBox, VideoFrame
from mmrdn.datasets.converters.splitting import split_videos


def video(name, **boxes):
    """A video of 10 frames with so many boxes of each class."""
    frames = [VideoFrame(f'{name}/{i}.jpg', 64, 48) for i in range(10)]
    tracks = [Track(label, [TrackBox(i % 10, (0, 0, 9, 9)) for i in range(count)]) for label, count in boxes.items()]
    return AnnotatedVideo(name, frames, tracks)


def test_each_class_is_in_both_parts():
    """Five videos of a common class and of two rare ones: one of each rare class goes to the second part."""
    videos = [video(f'a{i}', car=100) for i in range(6)] + [video(f'{c}{i}', **{c: 10}) for c in 'xy' for i in range(2)]
    for seed in range(10):
        first, second = split_videos(videos, [0.5, 0.5], seed)
        for part in (first, second):
            assert Counter(v.name[0] for v in part) == Counter(a=3, x=1, y=1)
    assert [v.name for v in split_videos(videos, [0.5, 0.5], 1)[0]] == [
        v.name for v in split_videos(videos, [0.5, 0.5], 1)[0]
    ]
    assert len({tuple(v.name for v in split_videos(videos, [0.5, 0.5], seed)[0]) for seed in range(10)}) > 1


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.dictionaries(st.sampled_from('abc'), st.integers(0, 20)), min_size=3, max_size=12),
    st.sampled_from([[0.8, 0.2], [0.6, 0.2, 0.2], [0.99, 0.01]]),
    st.integers(0, 5),
)
def test_no_video_is_lost_or_torn(counts, shares, seed):
    videos = [video(str(i), **boxes) for i, boxes in enumerate(counts)]
    parts = split_videos(videos, shares, seed)
    assert all(parts) and len(parts) == len(shares)
    assert sorted(v.name for part in parts for v in part) == sorted(v.name for v in videos)


def test_classes_of_one_video_do_not_all_go_to_the_first_part():
    """Eight of them and four videos of a common class: the shares of frames stay."""
    videos = [video(f's{i}', **{f's{i}': 10}) for i in range(8)] + [video(f'c{i}', c=10) for i in range(4)]
    for seed in range(5):
        first, second = split_videos(videos, [0.75, 0.25], seed)
        assert (len(first), len(second)) == (9, 3)
        assert {v.name[0] for v in first} == {'s', 'c'} and 'c' in {v.name[0] for v in second}


def test_the_training_part_has_each_class():
    """Four classes of one video fill it; the common class is in it nevertheless, and in the other parts."""
    videos = [video(f's{i}', **{f's{i}': 10}) for i in range(4)] + [video(f'c{i}', c=10) for i in range(4)]
    for seed in range(5):
        parts = split_videos(videos, [0.5, 0.25, 0.25], seed)
        assert all('c' in {v.name[0] for v in part} for part in parts)
        assert {v.name for v in parts[0]} > {f's{i}' for i in range(4)}


def test_seed_shuffles_videos_of_all_sizes():
    videos = [video(f'a{i}', car=10 + i) for i in range(8)]
    for largest_first, expected in ((False, range(3, 11)), (True, [1])):
        found = {tuple(v.name for v in split_videos(videos, [0.5, 0.5], i, largest_first)[1]) for i in range(10)}
        assert len(found) in expected


def test_videos_without_boxes_are_split_by_frames():
    parts = split_videos([video(str(i)) for i in range(10)], [0.8, 0.2])
    assert [len(part) for part in parts] == [8, 2]


@pytest.mark.parametrize('shares, message', [([0.5, 0.6], 'sum 1'), ([1.0], 'two or more'), ([1.5, -0.5], 'above 0')])
def test_bad_shares(shares, message):
    with pytest.raises(ValueError, match=message):
        split_videos([video('a'), video('b')], shares)
    with pytest.raises(ValueError, match='needs 2 videos at least, got 1'):
        split_videos([video('a')], [0.5, 0.5])
