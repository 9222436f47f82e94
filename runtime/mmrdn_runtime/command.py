# Copyright (c) mmrdn contributors. All rights reserved.
"""Detect objects in a video by an exported model."""

import argparse
import sys
import time
from typing import TYPE_CHECKING

from mmrdn.inference.stream_run import run_stream
from mmrdn.utils.command_errors import one_line_errors
from mmrdn.video import FrameBuffer, open_source
from mmrdn_runtime.openvino_backend import PRECISIONS
from mmrdn_runtime.video_detector import BACKENDS, VideoDetector

if TYPE_CHECKING:
    from mmrdn.post_processing import BaseBoxLinker

LINKERS = ('BoxLinkingWithRelations', 'SeqNMS', 'TubeLinking')  # here, as their modules need scipy and numba


@one_line_errors
def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser('mmrdn-runtime', description=__doc__)
    parser.add_argument('video', help='video file, directory or pattern of images, camera number, URL, or -')
    parser.add_argument('--model', required=True, help='directory that export_onnx.py wrote')
    parser.add_argument('--out-video', help='.mp4 with boxes drawn')
    parser.add_argument('--out-json', help='.jsonl: a line a frame; .json: COCO-VID; -: lines to stdout')
    parser.add_argument('--out-mot', help='MOTChallenge text')
    parser.add_argument('--out-images', help='directory of images with boxes drawn')
    parser.add_argument('--score-thr', type=float, default=0.5, help='leave out detections below it (default: 0.5)')
    parser.add_argument('--linker', metavar='NAME', help=f'link boxes to tracks: {", ".join(LINKERS)}')
    parser.add_argument('--scale', type=int, help='how many times larger frames are drawn')
    parser.add_argument('--font', help='font file for class names (default: an installed font that has the letters)')
    parser.add_argument('--max-frames', type=int, help='number of frames to stop after')
    parser.add_argument('--size', metavar='WxH', help='frame size of raw frames on stdin, pixels')
    parser.add_argument('--fps', type=float, help='frame rate of images and raw frames (default: 25)')
    parser.add_argument('--backend', choices=BACKENDS, default='onnxruntime', help='what computes')
    parser.add_argument('--precision', choices=PRECISIONS, help='number format of OpenVINO (default: f32)')
    parser.add_argument('--threads', type=int, default=0, help='threads of the backend (default: all)')
    parser.add_argument('--overwrite', action='store_true', help='replace what is there')
    sys.exit(run(parser.parse_args()))


def run(args: argparse.Namespace) -> int:
    """Do it; exit status, 3 for a video that is damaged."""
    from mmrdn.inference.video_outputs import VideoOutputs
    from mmrdn.utils.checks import check_score_thr
    from mmrdn.utils.interrupts import end_as_ctrl_c_does

    end_as_ctrl_c_does()
    start = time.time()
    check_score_thr(args.score_thr)
    names = ('out_video', 'out_json', 'out_mot', 'out_images', 'overwrite', 'scale', 'font')
    outputs = VideoOutputs(**{name: getattr(args, name) for name in names})
    source = open_source(args.video, args.size, max_frames=args.max_frames, fps=args.fps)
    linker = None if args.linker is None else make_linker(args.linker)
    detector = _load(args, linker)
    results = run_stream(detector.open_stream(), source, FrameBuffer(), outputs.draws and linker is None)
    if linker is not None:
        from mmrdn.inference.linked_frames import check_rereadable, link_frames

        if outputs.draws:
            check_rereadable(source)
        results = link_frames(results, linker, source, FrameBuffer(), outputs.draws)
    files = outputs.open(source, detector.classes, args.score_thr)
    files.write_all(results)
    files.summary.warn_if_none(source.name, args.score_thr)
    files.summary.seconds = time.time() - start
    print(files.summary, file=sys.stderr if args.out_json == '-' else sys.stdout)
    return 3 if source.truncated else 0


def make_linker(name: str) -> 'BaseBoxLinker':
    """Return a box linker by its name.

    Raises:
        ValueError: There is no such linker, or its packages are not installed.
    """
    if name not in LINKERS:
        raise ValueError(f'there is no box linker {name}, expected one of {", ".join(LINKERS)}')
    try:
        from mmrdn import post_processing
    except ImportError as error:
        raise ValueError(f'linking needs scipy and numba: pip install scipy numba ({error})') from None
    return getattr(post_processing, name)()


def _load(args: argparse.Namespace, linker: 'BaseBoxLinker | None') -> VideoDetector:
    """Load the model, and refuse what its backend or the linker cannot do."""
    options = dict(threads=args.threads)
    if args.precision is not None:
        if args.backend != 'openvino':
            raise ValueError('--precision is for --backend openvino')
        options['precision'] = args.precision
    detector = VideoDetector(args.model, args.backend, **options)
    if linker is not None and linker.uses_relations and not detector.has_relations:
        raise ValueError(
            f'{type(linker).__name__} needs relation weights to the next frame, which {args.model} does not give: '
            'it has no basic stage or no look-ahead, or is an older export; TubeLinking and SeqNMS do without'
        )
    return detector


if __name__ == '__main__':
    main()
