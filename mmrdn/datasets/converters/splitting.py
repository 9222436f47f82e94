# Copyright (c) mmrdn contributors. All rights reserved.
"""Splits of a data set by video."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from mmrdn.datasets.converters.annotated_video import AnnotatedVideo


def split_videos(
    videos: Sequence[AnnotatedVideo], shares: Sequence[float], seed: int = 0, largest_first: bool = False
) -> list[list[AnnotatedVideo]]:
    """Split videos so that each part has its share of the boxes of each class, as far as may be.

    The class with the fewest videos left goes first: each of its videos, in random order, goes to the
    part that lacks most of its boxes (Sechidis et al., On the Stratification of Multi-Label Data,
    2011), among those that lack at least half as many frames. Each part gets a video at least, and a part
    with a larger share than the others, the one to train on, gets a video of each class.

    Args:
        videos (Sequence[AnnotatedVideo]): The videos.
        shares (Sequence[float]): Share of each part; their sum is 1.
        seed (int): Seed of the order.
        largest_first (bool): Whether the videos of a class are taken by their boxes, most first: the parts
            differ less, and the seed decides between equal videos only.

    Returns:
        list[list[AnnotatedVideo]]: Videos of each part, in the order given.

    Raises:
        ValueError: The shares are invalid, or there are fewer videos than parts.
    """
    if len(shares) < 2 or min(shares) <= 0 or abs(sum(shares) - 1) > 1e-6:
        raise ValueError(f'--split needs two or more shares above 0 with the sum 1, got {" ".join(map(str, shares))}')
    if len(videos) < len(shares):
        raise ValueError(f'--split needs {len(shares)} videos at least, got {len(videos)}')
    counts = [_count_boxes(video) for video in videos]
    total = sum(counts, Counter())
    lacking = [{label: share * number for label, number in total.items()} for share in shares]
    frames = [share * sum(len(video.frames) for video in videos) for share in shares]
    left = np.random.default_rng(seed).permutation(len(videos)).tolist()
    parts: list[list[int]] = [[] for _ in shares]
    main = shares.index(max(shares)) if shares.count(max(shares)) == 1 else None
    while left:
        index, label = _next_video(left, counts, largest_first)
        empty = [part for part, chosen in enumerate(parts) if not chosen]
        with_room = [part for part, number in enumerate(frames) if number >= len(videos[index].frames) / 2]
        among: Sequence[int] = with_room or range(len(shares))
        if len(empty) >= len(left):
            among = empty
        elif main is not None and label is not None and not any(label in counts[i] for i in parts[main]):
            among = [main]
        part = max(among, key=lambda i: (lacking[i].get(label, 0.0), frames[i]))
        parts[part].append(index)
        left.remove(index)
        frames[part] -= len(videos[index].frames)
        for name, number in counts[index].items():
            lacking[part][name] -= number
    return [[videos[index] for index in sorted(part)] for part in parts]


def _count_boxes(video: AnnotatedVideo) -> Counter:
    counts: Counter = Counter()
    for track in video.tracks:
        counts[track.label] += sum(not box.ignore for box in track.boxes)
    return +counts


def _next_video(left: list[int], counts: list[Counter], largest_first: bool) -> tuple[int, str | None]:
    """Return a video of the class that the fewest of them have, and this class; None if they have none."""
    having = Counter(label for index in left for label in counts[index])
    if not having:
        return left[0], None
    rarest = min(having, key=lambda label: (having[label], label))
    having_it = [index for index in left if rarest in counts[index]]
    return max(having_it, key=lambda index: counts[index][rarest]) if largest_first else having_it[0], rarest
