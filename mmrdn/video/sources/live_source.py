# Copyright (c) mmrdn contributors. All rights reserved.
import os
from collections.abc import Iterator

from mmrdn.fileio.download import shown_url
from mmrdn.fileio.video_files import open_container
from mmrdn.structures.frame import Frame
from mmrdn.video.sources.base_source import BaseSource
from mmrdn.video.sources.video_file_source import Decoder


class LiveSource(BaseSource):
    """A camera, or a stream from the network, read once as it comes.

    No frame is dropped here: a detector slower than the source falls behind, and what happens to
    the frames then is up to the camera or server.

    Args:
        spec (str): Number of a camera (``'0'`` is ``/dev/video0``), or a URL that FFmpeg reads,
            such as ``rtsp://...``.
        max_frames (int, optional): Number of frames to stop after.
        timeout (float): Seconds without an answer after which a stream counts as broken off.

    Raises:
        FileNotFoundError: There is no such camera.
        OSError: The stream cannot be opened.
    """

    rereadable = False

    def __init__(self, spec: str, max_frames: int | None = None, timeout: float = 20.0) -> None:
        scheme, *rest = spec.partition('://')
        spec = scheme.lower() + ''.join(rest)  # as FFmpeg knows them
        is_camera = spec.isdecimal()
        super().__init__(f'camera {spec}' if is_camera else shown_url(spec), max_frames)
        kwargs = dict(timeout=timeout)
        url = spec
        if is_camera:
            url = f'/dev/video{spec}'
            if not os.path.exists(url):
                raise FileNotFoundError(f'{self.name}: {url} does not exist')
            kwargs.update(format='v4l2')
        elif spec.startswith('rtsp'):
            kwargs.update(options=dict(rtsp_transport='tcp'))
        self._container, self._stream = open_container(url, self.name, **kwargs)
        rate = self._stream.guessed_rate
        self.fps = float(rate) if rate else None
        self._expect(self._stream.frames or self.max_frames)

    def _frames(self) -> Iterator[Frame]:
        with self._container:
            yield from Decoder(self._container, self._stream, self._damaged)

    def _damaged(self, num_before: int, reason: str) -> None:
        self._record_damage(f'{self.name} broke off or was damaged at frame {num_before} ({reason})')
