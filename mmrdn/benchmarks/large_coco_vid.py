# Copyright (c) mmrdn contributors. All rights reserved.
import json
import os

import numpy as np

from mmrdn.datasets.imagenet_vid_classes import IMAGENET_VID
from mmrdn.fileio.whole_file import whole_file

_WIDTH, _HEIGHT = 1280, 720
_VIDEO_LENGTH = 290  # of ImageNet VID, on average


def write_large_coco_vid(path: str | os.PathLike, num_frames: int, num_boxes: int, seed: int = 0) -> None:
    """Write a COCO-VID file as the converter of ImageNet VID does, with random boxes.

    Frame i has its share of the boxes, one track each through a video, which stays in its image.

    Args:
        path (str or Path): Path of the file.
        num_frames (int): Number of frames, in videos of 290.
        num_boxes (int): Number of boxes.
        seed (int): Seed of the boxes.
    """
    rng = np.random.default_rng(seed)
    num_videos = -(-num_frames // _VIDEO_LENGTH)
    names = [f'train/ILSVRC2015_VID_train_{i // 1000:04d}/ILSVRC2015_train_{i:08d}' for i in range(num_videos)]
    frame_of = np.arange(num_boxes) * num_frames // num_boxes
    image_parts = (
        dict(
            id=i + 1,
            file_name=f'{names[i // _VIDEO_LENGTH]}/{i % _VIDEO_LENGTH:06d}.JPEG',
            height=_HEIGHT,
            width=_WIDTH,
            video_id=i // _VIDEO_LENGTH + 1,
            frame_id=i % _VIDEO_LENGTH,
            is_vid_train_frame=i % _VIDEO_LENGTH % 20 == 9,
        )
        for i in range(num_frames)
    )
    sizes = rng.integers(20, 400, (num_videos, 2, 2))
    corners = rng.integers(0, 300, (num_videos, 2, 2))
    box_parts = (
        _box(i, int(frame), sizes, corners, first=i == 0 or frame_of[i - 1] != frame)
        for i, frame in enumerate(frame_of)
    )
    with whole_file(path) as file:
        head = dict(
            categories=[
                dict(id=i, name=name, encode_name=word) for i, (name, word) in enumerate(IMAGENET_VID.items(), 1)
            ],
            videos=[dict(id=i, name=name) for i, name in enumerate(names, 1)],
        )
        file.write(json.dumps(head, separators=(',', ':'))[:-1].encode())
        for part, entries in (('images', image_parts), ('annotations', box_parts)):
            file.write(f',"{part}":['.encode())
            for i, entry in enumerate(entries):
                file.write((',' * bool(i) + json.dumps(entry, separators=(',', ':'))).encode())
            file.write(b']')
        file.write(b'}\n')


def _box(number: int, frame: int, sizes: np.ndarray, corners: np.ndarray, first: bool) -> dict:
    """Return the annotation of a box; those of a video move to the right and down by a pixel a frame."""
    video, track = frame // _VIDEO_LENGTH, 0 if first else 1
    x, y = (corners[video, track] + frame % _VIDEO_LENGTH // 10).tolist()
    width, height = sizes[video, track].tolist()
    return dict(
        id=number + 1,
        image_id=frame + 1,
        category_id=(video + track) % len(IMAGENET_VID) + 1,
        bbox=[x, y, width, height],
        area=width * height,
        iscrowd=False,
        video_id=video + 1,
        instance_id=2 * video + track + 1,
        occluded=False,
        generated=False,
    )
