# Copyright (c) mmrdn contributors. All rights reserved.
"""Videos, and a detector for them, small enough for tests."""

import json
from fractions import Fraction

import av
import numpy as np
from mmengine.config import Config

from helpers.rdn import model_config, tiny_model
from mmrdn.apis import VideoInferencer

CLASSES = ('cat', 'dog', 'owl')


def flat(value, size=(48, 64)):
    """A frame of one gray level."""
    return np.full((*size, 3), value, np.uint8)


def noise(length, size=(48, 64), seed=0):
    """Grey frames that differ."""
    rng = np.random.default_rng(seed)
    gray = rng.integers(0, 256, (length, *size, 1), dtype=np.uint8)
    return list(np.repeat(gray, 3, axis=-1))


def levels(source):
    """Mean gray level of each frame."""
    return [round(float(frame.image.mean())) for frame in source]


def write_mp4(path, frames, times=None, codec='libx264', ticks=1000):
    """Write a video with PyAV alone; frames have even sides."""
    times = times or [i / 10 for i in range(len(frames))]
    with av.open(str(path), 'w', options={'movflags': 'faststart'}) as file:
        stream = file.add_stream(codec, rate=10)
        if codec.startswith('lib'):
            stream.options = {'crf': '10'}
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = 'yuv420p'
        stream.codec_context.time_base = Fraction(1, ticks)
        for image, time in zip(frames, times):
            frame = av.VideoFrame.from_ndarray(image, format='bgr24')
            frame.pts, frame.time_base = round(ticks * time), Fraction(1, ticks)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def read_mp4(path):
    """Frames and times of a video, with PyAV alone."""
    with av.open(str(path)) as file:
        decoded = list(file.decode(video=0))
    return ([frame.to_ndarray(format='bgr24') for frame in decoded], [frame.time for frame in decoded])


def tiny_inferencer(lookahead=None, scale=(96, 72), model=None, **kwargs):
    """A detector of random weights, 3 classes, T = 2."""
    preprocessor = dict(
        type='mmtrack.TrackDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_size_divisor=16,
    )
    settings = model_config(data_preprocessor=preprocessor)
    config = Config(
        dict(
            default_scope='mmrdn',
            model=settings,
            test_dataloader=dict(
                dataset=dict(
                    type='VideoDetDataset',
                    metainfo=dict(classes=CLASSES),
                    pipeline=[
                        dict(type='LoadFrame'),
                        dict(type='mmdet.Resize', scale=scale, keep_ratio=True),
                        dict(type='PackTrackInputs', pack_single_img=True),
                    ],
                )
            ),
        )
    )
    return VideoInferencer(config, model=model or tiny_model(settings), device='cpu', lookahead=lookahead, **kwargs)


def files_in(directory):
    """Options for three files: o.mp4, o.jsonl and o.txt."""
    names = dict(video='o.mp4', json='o.jsonl', mot='o.txt')
    return [word for kind, name in names.items() for word in (f'--out-{kind}', directory / name)]


def lines_of(path):
    return list(map(json.loads, path.read_text().splitlines()))
