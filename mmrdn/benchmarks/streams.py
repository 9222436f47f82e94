# Copyright (c) mmrdn contributors. All rights reserved.
"""Several streams at once: one batch through backbone and RPN."""

import torch
from mmengine.config import Config

from mmrdn.benchmarks.timing import summary, take_turns
from mmrdn.benchmarks.whole_frame import _CONFIGS, random_model, sample
from mmrdn.models.vid.stream import VideoStream

CONFIG = _CONFIGS / 'rdn_faster-rcnn_r18_1xb4-1500_movingdigits.py'


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
        clock = iter(range(10**9))

        def run() -> None:
            for _ in range(frames):
                frame_id = next(clock)
                with torch.inference_mode():
                    found = model.extract(image, [sample(frame_id, size) for _ in streams])
                for stream, frame in zip(streams, found):
                    stream.advance(frame, rescale=True)

        for _ in range(4):  # fill the windows
            run()
        return run

    times = take_turns({str(num): contender(num) for num in (1, 4, 16)}, repeats)
    return {
        num: dict(
            summary([t / frames / int(num) for t in values]),
            frames_per_second=frames * int(num) / summary(values)['median'],
        )
        for num, values in times.items()
    }
