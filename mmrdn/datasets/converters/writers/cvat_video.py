# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Sequence
from xml.etree import ElementTree

from mmrdn.datasets.converters.annotated_video import AnnotatedVideo, Track, TrackBox
from mmrdn.datasets.converters.loss_report import LossReport
from mmrdn.datasets.converters.writers.runs import DIGITS, count_frame_losses, file_stem, runs_of, without_ignored


def cvat_video_files(videos: Sequence[AnnotatedVideo], losses: LossReport, fps: float) -> dict[str, bytes]:
    """Return an XML file of CVAT for video 1.1 for each video.

    Every box is in it, so that nothing depends on interpolation; CVAT takes the keyframes. The object
    is ``outside`` in the frame after a box that the next frame lacks.

    Args:
        videos (Sequence[AnnotatedVideo]): The videos.
        losses (LossReport): Counter of information that the format cannot hold.
        fps (float): Frames a second, which the format does not have.
    """
    files = {}
    for video in videos:
        stem = file_stem(video, losses)
        count_frame_losses(video, losses, True, [f'{stem}/{i:06d}.jpg' for i in range(len(video.frames))])
        root = ElementTree.Element('annotations')
        _add(root, 'version', '1.1')
        _add_head(root, video, stem)
        for number, track in enumerate(without_ignored(video, losses)):
            _add_track(root, number, track, len(video.frames))
        ElementTree.indent(root)
        files[f'{stem}.xml'] = ElementTree.tostring(root, encoding='utf-8', xml_declaration=True) + b'\n'
    return files


def _add(parent: ElementTree.Element, tag: str, text: object) -> None:
    ElementTree.SubElement(parent, tag).text = str(text)


def _add_head(root: ElementTree.Element, video: AnnotatedVideo, stem: str) -> None:
    task = ElementTree.SubElement(ElementTree.SubElement(root, 'meta'), 'task')
    for tag, value in (
        ('name', stem),
        ('size', len(video.frames)),
        ('mode', 'interpolation'),
        ('start_frame', 0),
        ('stop_frame', len(video.frames) - 1),
        ('frame_filter', ''),
    ):
        _add(task, tag, value)
    labels = ElementTree.SubElement(task, 'labels')
    for name in video.classes:
        _add(ElementTree.SubElement(labels, 'label'), 'name', name)
    size = ElementTree.SubElement(task, 'original_size')
    _add(size, 'width', video.frames[0].width)
    _add(size, 'height', video.frames[0].height)
    _add(task, 'source', f'{stem}.mp4')


def _add_track(root: ElementTree.Element, number: int, track: Track, num_frames: int) -> None:
    node = ElementTree.SubElement(root, 'track', id=str(number), label=track.label or '', source='manual')
    for run in runs_of(track.boxes):
        for box in run:
            _add_box(node, box, int(box.frame), keyframe=box.keyframe or box is run[0])
        end = int(run[-1].frame) + 1
        if end < num_frames:
            _add_box(node, run[-1], end, keyframe=True, outside=True)


def _add_box(node: ElementTree.Element, box: TrackBox, frame: int, keyframe: bool, outside: bool = False) -> None:
    flags = dict(frame=frame, keyframe=int(keyframe), outside=int(outside), occluded=int(box.occluded))
    corners = {name: f'{value:.{DIGITS}f}' for name, value in zip(('xtl', 'ytl', 'xbr', 'ybr'), box.box)}
    ElementTree.SubElement(node, 'box', {key: str(value) for key, value in flags.items()} | corners | dict(z_order='0'))
