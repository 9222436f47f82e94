# Copyright (c) mmrdn contributors. All rights reserved.
"""Serve a web page: drop a video, see it annotated."""

import argparse
import contextlib

from mmrdn.utils.cli import add_arguments, one_line_errors
from mmrdn.utils.interrupts import end_as_ctrl_c_does


@one_line_errors
def main() -> None:
    """Serve until Ctrl-C, SIGTERM or the end of the terminal."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser, 'config', help='config file, or the name of a config of the package')
    add_arguments(parser, 'checkpoint', '--device', '--lookahead', '--trust-checkpoint')
    add_arguments(parser, '--score-thr', default=0.3)
    parser.add_argument(
        '--host', default='127.0.0.1', help='address to listen on (default: %(default)s, this machine only)'
    )
    parser.add_argument(
        '--names', nargs='+', default=[], help='further host names of this server, such as that of a proxy'
    )
    parser.add_argument('--port', type=int, default=7860, help='port, or 0 for any free one (default: %(default)s)')
    parser.add_argument('--max-mb', type=float, default=200, help='refuse larger files (default: %(default)s)')
    parser.add_argument('--max-seconds', type=float, default=120, help='refuse longer videos (default: %(default)s)')
    parser.add_argument(
        '--max-frames', type=int, help='refuse videos of more frames (default: 60 a second of --max-seconds)'
    )
    parser.add_argument(
        '--max-pixels',
        type=int,
        default=3840 * 2160,
        help='refuse videos with more pixels a frame (default: %(default)s)',
    )
    args = parser.parse_args()
    end_as_ctrl_c_does()
    try:
        from mmrdn.web.page_server import open_server
        from mmrdn.web.web_demo import create_app
    except ModuleNotFoundError as error:
        raise ImportError(f'the web page needs {error.name}: pip install "mmrdn[web]"') from error
    from mmrdn.apis import VideoInferencer
    from mmrdn.web.video_jobs import VideoJobs

    inferencer = VideoInferencer(
        args.config, args.checkpoint, args.device, args.lookahead, trust_checkpoint=args.trust_checkpoint
    )
    jobs = VideoJobs(inferencer, args.score_thr, args.max_seconds, args.max_frames, args.max_pixels)
    with (
        contextlib.closing(jobs),
        open_server(create_app(jobs, max_mb=args.max_mb), args.host, args.port, args.names) as server,
        contextlib.suppress(KeyboardInterrupt),
    ):
        host = f'[{args.host}]' if ':' in args.host else args.host
        print(f'http://{host}:{server.port}/ (Ctrl-C ends it)', flush=True)
        server.serve_forever()


if __name__ == '__main__':
    main()
