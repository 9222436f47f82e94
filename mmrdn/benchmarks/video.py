# Copyright (c) mmrdn contributors. All rights reserved.
"""The moving digits model on videos: several streams at once, delay, memory over length."""

import itertools
import resource
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from mmengine.config import Config

from mmrdn.apis import VideoInferencer
from mmrdn.benchmarks.timing import summary, take_turns
from mmrdn.benchmarks.whole_frame import CONFIGS, random_model, sample
from mmrdn.models.vid.stream import VideoStream

CONFIG = CONFIGS / 'rdn_faster-rcnn_r18_1xb4-1500_movingdigits.py'
FPS = 10  # of the source that is waited for
LENGTHS = (200, 2000)  # frames, for the memory


def time_streams(repeats: int, seed: int = 0, frames: int = 12) -> dict[str, dict]:
    """Time a frame with 1, 4 and 16 streams of the moving digits model.

    Args:
        repeats (int): Rounds that count.
        seed (int): Seed of weights and frames.
        frames (int): Frames of each stream in a round.

    Returns:
        dict[str, dict]: Summary of seconds by number of streams, with ``frames_per_second`` over
        all streams.
    """
    model = random_model(Config.fromfile(CONFIG).model, seed)
    size = (160, 160)

    def contender(num: int):
        streams = [VideoStream(model) for _ in range(num)]
        image = torch.randn(num, 3, *size)
        clock = itertools.count()

        def run() -> None:
            for frame_id in itertools.islice(clock, frames):
                with torch.inference_mode():
                    found = model.extract(image, [sample(frame_id, size) for _ in streams])
                for stream, frame in zip(streams, found):
                    stream.advance(frame, rescale=True)

        for _ in range(4):  # fill the windows
            run()
        return run

    result = take_turns({str(num): contender(num) for num in (1, 4, 16)}, repeats)
    for num, row in result.items():
        row['frames_per_second'] = frames * int(num) / row['median']
        row.update({key: row[key] / frames / int(num) for key in ('median', 'min', 'max')})
    return result


def time_video(repeats: int, seed: int = 0, quick: bool = False) -> dict[str, Any]:
    """Measure the delay of results and the peak memory of the moving digits model.

    Args:
        repeats (int): Seconds of video for each look-ahead.
        seed (int): Seed of weights and frames.
        quick (bool): Whether to leave out the peak memory.

    Returns:
        dict[str, dict]: Seconds between a frame and its result by look-ahead, from a source of 10
        frames a second and from one that is as fast as can be; MB of the process's peak after some
        numbers of frames.
    """
    torch.manual_seed(seed)
    cfg = Config.fromfile(CONFIG)
    model = random_model(cfg.model, seed)
    frames = np.random.default_rng(seed).integers(0, 255, (8, 128, 160, 3), dtype=np.uint8)
    result: dict[str, Any] = dict()
    for lookahead in (0, 3, model.temporal_range):
        inferencer = VideoInferencer(cfg, model=model, lookahead=lookahead)
        for fps in (FPS, None):
            speed = f'{fps} fps' if fps else 'as fast as can be'
            result[f'look-ahead {lookahead}, {speed}'] = summary(_delays(inferencer, frames, repeats * FPS, fps))
    if not quick:
        done = 0
        for number, _ in enumerate(inferencer.stream(frames[i % 8] for i in range(LENGTHS[-1])), 1):
            if number == LENGTHS[done]:
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                result[f'peak memory after {number} frames'] = dict(megabytes=peak * 1024 / 1e6)
                done += 1
    return result


def _delays(inferencer: VideoInferencer, frames: np.ndarray, num: int, fps: int) -> list[float]:
    """Measure the seconds between a frame and its result, for frames with all of their look-ahead."""
    read: list[float] = []

    def source() -> Iterator[np.ndarray]:
        start = time.perf_counter()
        for i in range(num + inferencer.lookahead):
            if fps:
                time.sleep(max(start + i / fps - time.perf_counter(), 0))
            read.append(time.perf_counter())
            yield frames[i % len(frames)]

    delays = []
    for i, _ in zip(range(num), inferencer.stream(source())):
        delays.append(time.perf_counter() - read[i])
    return delays
