# Copyright (c) mmrdn contributors. All rights reserved.
"""Convert ImageNet VID (ILSVRC layout) to COCO-VID JSON."""

from collections.abc import Collection
from functools import partial
from pathlib import Path

from mmrdn.datasets.converters import ilsvrc
from mmrdn.datasets.converters.training_lists import read_vid_list
from mmrdn.datasets.imagenet_vid_classes import get_class_set
from mmrdn.fileio.json_files import write_json


def pick_train_frames(num_frames: int, count: int = 15) -> list[int]:
    """Choose evenly spaced frames: the middles of ``count`` equal parts.

    Frame i of the choice is floor((2 i + 1) num_frames / (2 count)), as in the list of 15
    frames a video that FGFA, MEGA and mmtrack share, but for 405 of its 3,862 videos. All frames of a
    video of ``count`` frames or fewer are chosen.

    Args:
        num_frames (int): Length of the video.
        count (int): Number of frames to choose.

    Returns:
        list[int]: Frame indices, ascending, none repeated.
    """
    if num_frames <= count:
        return list(range(num_frames))
    return [(2 * i + 1) * num_frames // (2 * count) for i in range(count)]


def list_videos(root: Path, split: str) -> list[tuple[str, list[str]]]:
    """List the videos of a split with the names of their frames.

    They come from ``ImageSets/VID`` (``train_*.txt`` name videos, ``val.txt`` names frames) or,
    without those lists, from the directories.

    Args:
        root (Path): Directory with Annotations, Data and ImageSets.
        split (str): 'train' or 'val'.

    Returns:
        list[tuple[str, list[str]]]: Name (as ``<split>/<directory>``) and frames (without suffix)
        of each video, both sorted.

    Raises:
        FileNotFoundError: A video has no frames or an image no annotation.
        ValueError: There are no videos.
    """
    annotations = root / 'Annotations' / 'VID' / split
    lists = root / 'ImageSets' / 'VID'
    frames: dict[str, list[str]] = {}
    if split == 'val' and (lists / 'val.txt').is_file():
        for entry in ilsvrc.read_list(lists / 'val.txt'):
            video, _, frame = entry.rpartition('/')
            if not video:
                raise ValueError(f'{lists / "val.txt"}: expected <video>/<frame>, got {entry!r}')
            frames.setdefault(video, []).append(frame)
    elif split == 'train' and any(lists.glob('train_*.txt')):
        for path in sorted(lists.glob('train_*.txt')):
            frames.update((video, []) for video in ilsvrc.read_list(path))
    else:
        frames.update((path.parent.relative_to(annotations).as_posix(), []) for path in annotations.rglob('*.xml'))
    if not frames:
        raise ValueError(f'{annotations}: no videos of the split {split!r}')
    return [
        (f'{split}/{video}', sorted(frames[video]) or _list_frames(root, f'{split}/{video}'))
        for video in sorted(frames)
    ]


def _listed_videos(
    root: Path, list_file: ilsvrc.PathLike
) -> tuple[list[tuple[str, list[str]]], list[list[int]], list[str]]:
    """Return the videos of a list as :func:`list_videos` does, their training frames, and notes."""
    listed, notes = read_vid_list(list_file)
    videos, chosen = [], []
    for video in sorted(listed, key=lambda video: video.name):
        try:
            frames = _list_frames(root, video.name)
        except FileNotFoundError as error:
            raise FileNotFoundError(f'{video.where}: {error}') from None
        videos.append((video.name, frames))
        chosen.append(video.select(frames))
    return videos, chosen, notes


def _list_frames(root: Path, video: str) -> list[str]:
    """List the frames of a video by the files in its directories."""
    directory = root / 'Annotations' / 'VID' / video
    found = {path.stem for path in directory.glob('*.xml')}
    images = root / 'Data' / 'VID' / video
    if images.is_dir():
        present = {path.stem for path in images.glob('*.JPEG')}
        for frame in sorted(present ^ found):
            lacking = directory / f'{frame}.xml' if frame in present else images / f'{frame}.JPEG'
            raise FileNotFoundError(f'{lacking}: no such file, though its annotation or image exists')
    if not found:
        raise FileNotFoundError(f'{directory}: no annotations')
    return sorted(found)


def _read_video(video: tuple[str, list[str]], root: Path, skip_bad_boxes: bool) -> list[dict]:
    name, frames = video
    directory = root / 'Annotations' / 'VID' / name
    return [ilsvrc.read_annotation(directory / f'{frame}.xml', skip_bad_boxes) for frame in frames]


class _CocoVidData(ilsvrc.CocoData):
    """COCO-VID data of the videos added so far."""

    def __init__(self, classes: dict[str, str]) -> None:
        super().__init__(classes)
        self.data['videos'] = []
        self._instance_ids: dict[tuple[str, str], int] = {}  # by video and track

    def add_video(self, name: str, frames: list[str], parsed: list[dict], chosen: Collection[int]) -> None:
        """Add a video: names of its frames, their annotations, and those for training."""
        video_id = len(self.data['videos']) + 1
        self.data['videos'].append(dict(id=video_id, name=name))
        for frame_id, (frame, item) in enumerate(zip(frames, parsed)):
            self.add_image(
                f'{name}/{frame}.JPEG',
                item,
                video_id=video_id,
                frame_id=frame_id,
                is_vid_train_frame=frame_id in chosen,
            )
            for target in item['objects']:
                if target['name'] not in self.category_ids:
                    raise ValueError(
                        f'{name}/{frame}.xml: unknown class {target["name"]!r}, not among the classes to convert'
                    )
                if not target['track']:
                    raise ValueError(f'{name}/{frame}.xml: <object> has no <trackid>')
                track = self._instance_ids.setdefault((name, target['track']), len(self._instance_ids) + 1)
                flags = {flag: target[flag] for flag in ('occluded', 'generated')}
                self.add_object(target, video_id=video_id, instance_id=track, **flags)


def convert_vid(
    root: ilsvrc.PathLike,
    split: str,
    out_file: ilsvrc.PathLike,
    classes: str = 'imagenet_vid',
    workers: int = 1,
    overwrite: bool = False,
    skip_bad_boxes: bool = False,
    progress: bool = True,
    list_file: ilsvrc.PathLike | None = None,
) -> dict:
    """Convert one split of ImageNet VID to a COCO-VID JSON file.

    Every frame goes into the file, ``file_name`` relative to ``Data/VID``; ``is_vid_train_frame``
    marks the frames of a training video that ``list_file`` names, or 15 evenly spaced ones (see
    :func:`pick_train_frames`), and is false in validation. On any error nothing is written, and the
    next run starts over.

    Args:
        root (str | os.PathLike): Directory as for :func:`~mmrdn.datasets.converters.ilsvrc.find_root`.
        split (str): 'train' or 'val'.
        out_file (str | os.PathLike): JSON file to write.
        classes (str): 'imagenet_vid' or 'moving_digits'.
        workers (int): Number of processes that read annotations.
        overwrite (bool): Replace ``out_file`` if it exists.
        skip_bad_boxes (bool): Leave impossible boxes out instead of failing.
        progress (bool): Whether to show a progress bar.
        list_file (str | os.PathLike, optional): List of training frames, such as
            ``VID_train_15frames.txt``; videos that it does not name are left out.

    Returns:
        dict: Numbers of ``videos``, ``images``, ``train_frames``, ``empty_images`` and ``objects``,
        and ``notes`` on boxes that were cut or left out and on frames that are listed twice.

    Raises:
        FileExistsError: ``out_file`` exists.
        FileNotFoundError: Something of the layout is missing.
        ValueError: An annotation is broken or of an unknown class, or the list is broken or of other
            videos.
    """
    if split not in ('train', 'val'):
        raise ValueError(f"split must be 'train' or 'val', got {split!r}")
    ilsvrc.check_output(out_file, overwrite)
    coco = _CocoVidData(get_class_set(classes))
    if list_file is not None and split != 'train':
        raise ValueError(f'{list_file}: a list of training frames, got the split {split!r}')
    directory = ilsvrc.find_root(root, 'VID')
    notes: list[str] = []
    if list_file is None:
        videos = list_videos(directory, split)
        chosen = [pick_train_frames(len(frames)) if split == 'train' else [] for _, frames in videos]
    else:
        videos, chosen, notes = _listed_videos(directory, list_file)
    read = partial(_read_video, root=directory, skip_bad_boxes=skip_bad_boxes)
    results = ilsvrc.run_jobs(read, videos, workers, f'VID {split}', progress)
    for parsed, (name, frames), key_frames in zip(results, videos, chosen):
        coco.add_video(name, frames, parsed, key_frames)
        notes += [note for item in parsed for note in item['notes']]
    write_json(coco.data, out_file, indent=None)
    images, annotations = coco.data['images'], coco.data['annotations']
    return dict(
        videos=len(videos),
        images=len(images),
        train_frames=sum(image['is_vid_train_frame'] for image in images),
        empty_images=len(images) - len({target['image_id'] for target in annotations}),
        objects=len(annotations),
        notes=notes,
    )
