# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Sequence

from mmrdn.datasets.converters.annotated_video import AnnotatedVideo
from mmrdn.datasets.converters.loss_report import LossReport
from mmrdn.datasets.converters.writers.runs import DIGITS, count_frame_losses, file_stem


def mot_files(videos: Sequence[AnnotatedVideo], losses: LossReport, fps: float) -> dict[str, bytes]:
    """Return the files of a MOTChallenge sequence for each video: ``gt.txt``, ``labels.txt``, ``seqinfo.ini``.

    Frames count from 1. Regions to ignore have confidence 0, occluded boxes visibility 0.

    Args:
        videos (Sequence[AnnotatedVideo]): The videos.
        losses (LossReport): Counter of information that the format cannot hold.
        fps (float): Frames a second.
    """
    files = {}
    for video in videos:
        stem = file_stem(video, losses)
        suffix = '.' + video.frames[0].file_name.rpartition('.')[2] if '.' in video.frames[0].file_name else '.jpg'
        names = [f'{stem}/img1/{number:06d}{suffix}' for number in range(1, len(video.frames) + 1)]
        count_frame_losses(video, losses, True, names)
        numbers = {name: number for number, name in enumerate(video.classes, 1)}
        rows = []
        for track_id, track in enumerate(video.tracks, 1):
            for box in track.boxes:
                if box.interpolated or not box.keyframe:
                    losses.add('flags keyframe and interpolated', f'{video.name}, frame_id {box.frame}')
                x1, y1, x2, y2 = box.box
                left, top, width, height = (f'{value:.{DIGITS}f}' for value in (x1, y1, x2 - x1, y2 - y1))
                row = (int(box.frame) + 1, track_id, left, top, width, height)
                rows.append((*row, int(not box.ignore), numbers[track.label], int(not box.occluded)))
        text = ''.join(','.join(map(str, row)) + '\n' for row in sorted(rows, key=lambda row: row[:2]))
        frame = video.frames[0]
        info = dict(name=stem, imDir='img1', frameRate=f'{fps:g}', seqLength=len(video.frames))
        info |= dict(imWidth=frame.width, imHeight=frame.height, imExt=suffix)
        files[f'{stem}/gt/gt.txt'] = text.encode()
        files[f'{stem}/gt/labels.txt'] = ''.join(f'{name}\n' for name in video.classes).encode()
        files[f'{stem}/seqinfo.ini'] = ('[Sequence]\n' + ''.join(f'{k}={v}\n' for k, v in info.items())).encode()
    return files
