# Copyright (c) mmrdn contributors. All rights reserved.
"""The detections of a video as a draft of its annotation."""

import csv
import io
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from mmrdn.apis import VideoInferencer
from mmrdn.datasets.converters.annotated_video import AnnotatedVideo, Track, TrackBox, VideoFrame
from mmrdn.datasets.converters.ilsvrc import check_output
from mmrdn.datasets.converters.interpolation import fill_track
from mmrdn.datasets.converters.keyframes import thin_track
from mmrdn.datasets.converters.loss_report import LossReport
from mmrdn.datasets.converters.writers import WRITERS
from mmrdn.fileio.coco_vid import CocoVidFile
from mmrdn.fileio.whole_file import whole_file
from mmrdn.own_videos.frame_disagreement import frame_disagreement
from mmrdn.structures import FrameDetections
from mmrdn.video import BaseSource

FORMATS = {'.zip': 'cvat-video', '.xml': 'cvat-video', '.json': 'label-studio'}


def label_video(
    inferencer: VideoInferencer,
    source: BaseSource,
    out: Path,
    rank: Path | None = None,
    score_thr: float = 0.3,
    min_iou: float = 0.9,
    overwrite: bool = False,
    progress: Callable[[int, int | None], None] | None = None,
) -> str:
    """Detect in a video, make tracks of its boxes and write them as annotation to be corrected.

    After Ctrl-C the frames that are done are written, then KeyboardInterrupt is raised.

    Args:
        inferencer (VideoInferencer): Detector with a box linker or a tracker.
        source (BaseSource): Video.
        out (Path): File to write: ``.zip`` or ``.xml`` for CVAT, ``.json`` for Label Studio.
        rank (Path, optional): CSV file to write, frames in the order of :func:`frame_disagreement`.
        score_thr (float): Lowest score, after linking, of a box that is written.
        min_iou (float): See :func:`thin_track`.
        overwrite (bool): Whether the files may be there already.
        progress (callable, optional): See :meth:`VideoInferencer.__call__`.

    Returns:
        str: What was written, in a sentence.

    Raises:
        FileExistsError: A file is there already.
        ValueError: The detector has neither of them, or an argument is wrong.
    """
    if inferencer.linker is None and inferencer.tracker is None:
        raise ValueError('labels need tracks: give a linker, such as TubeLinking, or a tracker, ByteTracker')
    if not 0 < min_iou <= 1:
        raise ValueError(f'min_iou must be in (0, 1], got {min_iou}')
    check_outputs(out, rank, overwrite)
    with tempfile.TemporaryDirectory(prefix='mmrdn-labels-') as directory:
        found = Path(directory) / 'detections.json'
        try:
            inferencer(source, out_json=found, score_thr=score_thr, progress=progress)
        finally:
            said = (
                '' if not found.exists() else _write_labels(found, inferencer.classes, source.fps, out, rank, min_iou)
            )
    return said


def check_outputs(out: Path, rank: Path | None, overwrite: bool) -> None:
    """Refuse outputs that would not be written, see :func:`label_video`."""
    if out.suffix.lower() not in FORMATS:
        raise ValueError(f'--out must end in {", ".join(FORMATS)}, got {out}')
    for path in filter(None, (out, rank)):
        check_output(path, overwrite)


def _write_labels(
    found: Path, classes: Sequence[str], fps: float | None, out: Path, rank: Path | None, min_iou: float
) -> str:
    """Write the content of a file of detections; return a summary."""
    file = CocoVidFile(str(found), images=('file_name', 'width', 'height'), annotations=('bbox', 'score'))
    frames = list(file.predictions(classes).values())
    video = annotated_video(frames, classes, Path(file.data['videos'][0]['name']).stem, min_iou)
    (content,) = WRITERS[FORMATS[out.suffix.lower()]]([video], LossReport(), fps or 25.0).values()
    with whole_file(out) as target:
        if out.suffix.lower() == '.zip':
            with zipfile.ZipFile(target, 'w', zipfile.ZIP_DEFLATED) as archive:
                archive.writestr('annotations.xml', content)
        else:
            target.write(content)
    if rank is not None:
        write_rank(frames, rank)
    boxes = sum(len(frame) for frame in frames)
    tracked = sum((frame.track_ids >= 0).sum() for frame in frames)
    keyframes = sum(box.keyframe for track in video.tracks for box in track.boxes)
    said = f'{len(video.tracks)} tracks, {keyframes} keyframes for {tracked} boxes'
    return said + (f'; left out: {boxes - tracked} boxes that are in no track' if boxes > tracked else '')


def annotated_video(
    frames: Sequence[FrameDetections], classes: Sequence[str], name: str, min_iou: float = 0.9
) -> AnnotatedVideo:
    """Make an annotation of linked detections; boxes without a track are left out.

    Args:
        frames (Sequence[FrameDetections]): Frames of a video in order.
        classes (Sequence[str]): Class names.
        name (str): Name of the video.
        min_iou (float): See :func:`thin_track`.
    """
    tracks: dict[int, Track] = {}
    for i, frame in enumerate(frames):
        for box, _, label, track_id in frame:
            if track_id is not None:
                track = tracks.setdefault(track_id, Track(classes[label], name=str(track_id)))
                track.boxes.append(TrackBox(i, tuple(box)))
    return AnnotatedVideo(
        name,
        [VideoFrame(f'{name}/{i:06d}.jpg', frame.width, frame.height) for i, frame in enumerate(frames)],
        [_thinned(track, len(frames), min_iou) for track in tracks.values()],
        classes=tuple(classes),
    )


def _thinned(track: Track, num_frames: int, min_iou: float) -> Track:
    """Return the track with few keyframes, and the boxes interpolated between them."""
    return replace(track, boxes=fill_track(thin_track(track, num_frames, min_iou).boxes, num_frames))


def write_rank(frames: Sequence[FrameDetections], path: Path) -> None:
    """Write a CSV file of frames, those first that are most worth labeling."""
    values = frame_disagreement(frames)
    text = io.StringIO()
    table = csv.writer(text, lineterminator='\n')
    table.writerow(('frame', 'file_name', 'disagreement'))
    for i in sorted(range(len(frames)), key=lambda i: -values[i]):
        table.writerow((i, frames[i].file_name, f'{values[i]:.4f}'))
    with whole_file(path) as file:
        file.write(text.getvalue().encode())
