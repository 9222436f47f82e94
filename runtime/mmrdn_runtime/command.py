# Copyright (c) mmrdn contributors. All rights reserved.
"""Detect objects in a video by an exported model."""

import argparse
import contextlib
import sys
import time
from collections.abc import Iterator

from mmrdn.structures import Frame, FrameDetections
from mmrdn.utils.command_errors import one_line_errors
from mmrdn.video import BaseSource, FrameBuffer, open_source, prefetch
from mmrdn_runtime.video_detector import VideoDetector
from mmrdn_runtime.video_stream import VideoStream


@one_line_errors
def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser('mmrdn-runtime', description=__doc__)
    parser.add_argument('video', help='video file, directory or pattern of images, camera number, URL, or -')
    parser.add_argument('--model', required=True, help='directory that export_onnx.py wrote')
    parser.add_argument('--out-video', help='.mp4 with boxes drawn')
    parser.add_argument('--out-json', help='.jsonl: a line a frame; .json: COCO-VID; -: lines to stdout')
    parser.add_argument('--score-thr', type=float, default=0.5, help='leave out detections below it (default: 0.5)')
    parser.add_argument('--scale', type=int, help='how many times larger frames are drawn')
    parser.add_argument('--max-frames', type=int, help='number of frames to stop after')
    parser.add_argument('--size', metavar='WxH', help='frame size of raw frames on stdin, pixels')
    parser.add_argument('--fps', type=float, help='frame rate of images and raw frames (default: 25)')
    parser.add_argument('--threads', type=int, default=0, help='threads of ONNX Runtime (default: all)')
    parser.add_argument('--overwrite', action='store_true', help='replace what is there')
    sys.exit(run(parser.parse_args()))


def run(args: argparse.Namespace) -> int:
    """Do it; exit status, 3 for a video that is damaged."""
    from mmrdn.inference.video_outputs import VideoOutputs
    from mmrdn.utils.checks import check_score_thr

    start = time.time()
    check_score_thr(args.score_thr)
    outputs = VideoOutputs(args.out_video, args.out_json, overwrite=args.overwrite, scale=args.scale)
    source = open_source(args.video, args.size, max_frames=args.max_frames, fps=args.fps)
    detector = VideoDetector(args.model, threads=args.threads)
    with outputs.open(source, detector.classes, args.score_thr) as files:
        for found, frame in _detect(detector.open_stream(), source):
            files.write(frame, found)
    files.summary.seconds = time.time() - start
    print(files.summary, file=sys.stderr if args.out_json == '-' else sys.stdout)
    return 3 if source.truncated else 0


def _detect(stream: VideoStream, source: BaseSource) -> Iterator[tuple[FrameDetections, Frame]]:
    """Yield the detections of each frame, and the frame, in order; frames are decoded ahead."""
    buffer = FrameBuffer()
    with contextlib.closing(prefetch(iter(source))) as frames:
        for frame in frames:
            buffer.add(frame)
            for found in stream.feed(frame.image):
                yield found, buffer.take()[0]
    for found in stream.flush():
        yield found, buffer.take()[0]


if __name__ == '__main__':
    main()
