# Copyright (c) mmrdn contributors. All rights reserved.
"""A detector without a network and videos for tests of the web page."""

import io
import json
import time

import numpy as np

from mmrdn.inference.video_outputs import VideoSummary
from mmrdn.video import VideoWriter

FPS = 10


class FakeInferencer:
    """Finds 'one' in the first half of a second, 'two' from 0.3 s on."""

    classes = ('zero', 'one', 'two')

    def __call__(self, source, out_video, out_json, score_thr, scale, overwrite, progress):
        summary = VideoSummary()
        with VideoWriter(out_video, overwrite, source.fps) as writer, open(out_json, 'w') as lines:
            for frame in source:
                writer.write(255 - frame.image, frame.time)
                labels = [1] * (frame.time < 0.45) + [2] * (frame.time > 0.25)
                found = [dict(label=i, score=score_thr) for i in labels]
                line = dict(frame=frame.index, time=frame.time, detections=found)
                print(json.dumps(line), file=lines)
                summary.detections += len(found)
                progress(frame.index + 1, source.num_frames)
        summary.truncated = source.truncated
        return summary


def write_clip(path, num_frames, size=(64, 96)):
    """A gray video of 10 frames a second."""
    with VideoWriter(path, fps=FPS) as writer:
        for i in range(num_frames):
            writer.write(np.full((*size, 3), 60 + 5 * i % 150, np.uint8))
    return path


def send(client, path_or_bytes, name='clip.mp4', **kwargs):
    """Upload; status and what is told."""
    content = path_or_bytes
    if not isinstance(content, bytes):
        content = content.read_bytes()
    answer = client.post('/videos', data=dict(video=(io.BytesIO(content), name)), **kwargs)
    return answer.status_code, answer.json


def wait(client, address):
    """State of a job when it is over."""
    for _ in range(200):
        told = client.get(address).json
        if told['state'] in ('done', 'failed'):
            return told
        time.sleep(0.05)
    raise AssertionError(told)
