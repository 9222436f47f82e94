# Copyright (c) mmrdn contributors. All rights reserved.
"""Moving digits: a small video data set in the ILSVRC2015 VID layout.

Handwritten digits (scikit-learn ``load_digits``) move over photographs (scikit-learn
``load_sample_images``). Training and validation share neither digits (the last quarter of each
class, in scikit-learn's order, is kept for validation: largely other writers) nor parts of the
photographs.
"""

import json
import os
import shutil
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
from rich.progress import Progress

from mmrdn.datasets.imagenet_vid_classes import MOVING_DIGITS
from mmrdn.datasets.moving_digits.config import MovingDigitsConfig
from mmrdn.datasets.moving_digits.scene import DigitScene
from mmrdn.fileio.fields import OBJECT, check_entry
from mmrdn.fileio.json_files import read_json

CLASSES = tuple(MOVING_DIGITS)
WORDNET_IDS = tuple(MOVING_DIGITS.values())
SPLITS = ('train', 'val')
VERSION = 2  # raised whenever the same settings give other files
STAMP = 'moving_digits.json'
VAL_SHARE = 0.25  # of the digits of each class
PHOTO_COLUMNS = dict(train=(0.0, 0.6), val=(0.62, 1.0))  # share of the width


def load_split_digits(split: str) -> dict[str, np.ndarray]:
    """Return the handwritten digits of one split.

    Args:
        split (str): 'train' or 'val'.

    Returns:
        dict: ``samples`` (n,) indices into ``load_digits()``, ``labels`` (n,)
        and ``cells`` (n, 8, 8) ink from 0 to 16.
    """
    from sklearn.datasets import load_digits

    data = load_digits()
    chosen = []
    for label in range(10):
        samples = np.flatnonzero(data.target == label)
        first_val = len(samples) - int(VAL_SHARE * len(samples))
        chosen.append(samples[:first_val] if split == 'train' else samples[first_val:])
    samples = np.sort(np.concatenate(chosen))
    return dict(samples=samples, labels=data.target[samples], cells=data.images[samples])


def load_split_photos(split: str) -> list[np.ndarray]:
    """Return the parts of the photographs that one split may show, BGR uint8."""
    from sklearn.datasets import load_sample_images

    low, high = PHOTO_COLUMNS[split]
    return [
        np.ascontiguousarray(photo[:, int(low * photo.shape[1]) : int(high * photo.shape[1]), ::-1])
        for photo in load_sample_images().images
    ]


def make_scene(
    config: MovingDigitsConfig, split: str, index: int, digits: dict[str, np.ndarray], photos: Sequence[np.ndarray]
) -> DigitScene:
    """Return one video of a split; it depends on no other video.

    Args:
        config (MovingDigitsConfig): Settings.
        split (str): 'train' or 'val'.
        index (int): Number of the video, from 0.
        digits (dict): Result of :func:`load_split_digits`.
        photos (Sequence[np.ndarray]): Result of :func:`load_split_photos`.

    Returns:
        DigitScene: Video, ready to be drawn.
    """
    stream = [config.seed, SPLITS.index(split)]
    # Ten videos share a shuffled deck that holds each class equally often.
    deck = np.repeat(np.arange(10), config.num_digits[1])
    np.random.default_rng([*stream, index // 10, 1]).shuffle(deck)
    labels = deck[index % 10 :: 10]
    rng = np.random.default_rng([*stream, index, 0])
    num_frames = getattr(config, f'{split}_frames')
    return DigitScene(config, rng, num_frames, labels, digits, photos)


def make_moving_digits(
    out_dir: str | os.PathLike, config: MovingDigitsConfig | None = None, progress: bool = True
) -> bool:
    """Write the data set, in the layout of ILSVRC2015 VID.

    The files are written into a temporary directory beside ``out_dir``, which is renamed at the
    end. The same settings give the same bytes (with the same versions of numpy, opencv and
    scikit-learn).

    Args:
        out_dir (str | os.PathLike): Directory to make.
        config (MovingDigitsConfig, optional): Settings.
        progress (bool): Whether to show a progress bar.

    Returns:
        bool: True if the data set was made, False if ``out_dir`` holds it already.

    Raises:
        FileExistsError: ``out_dir`` holds something else.
    """
    config = config or MovingDigitsConfig()
    # Through JSON, so that tuples compare equal to the lists in a file.
    settings = json.loads(json.dumps(dict(version=VERSION, **asdict(config))))
    out_dir = Path(os.path.abspath(out_dir))
    if _is_ready(out_dir, settings):
        return False
    out_dir.parent.mkdir(parents=True, exist_ok=True)
    root = Path(tempfile.mkdtemp(prefix=f'.{out_dir.name}.', dir=out_dir.parent))
    try:
        _write_all(root, config, progress)
        stamp = dict(settings=settings, classes=CLASSES, ids=WORDNET_IDS)
        (root / STAMP).write_text(json.dumps(stamp, indent=2) + '\n')
        root.chmod(0o755)  # mkdtemp makes it private
        if out_dir.exists():
            out_dir.rmdir()
        root.rename(out_dir)
    except BaseException:
        shutil.rmtree(root, ignore_errors=True)
        raise
    return True


def _is_ready(out_dir: Path, settings: dict) -> bool:
    """Return whether a directory holds just this data set; raise unless it may be made."""
    if not out_dir.exists():
        return False
    if not out_dir.is_dir():
        raise FileExistsError(f'{out_dir} exists and is not a directory')
    if not any(out_dir.iterdir()):
        return False
    try:
        stamp = read_json(out_dir / STAMP)
        check_entry(stamp, dict(settings=OBJECT), ('settings',), STAMP)
    except (OSError, ValueError):
        raise FileExistsError(
            f'{out_dir} is not empty and holds no readable {STAMP}; choose another directory'
        ) from None
    found = stamp['settings']
    if found == settings:
        return True
    names = sorted(key for key in settings if found.get(key) != settings[key])
    raise FileExistsError(
        f'{out_dir} holds moving digits of other settings '
        f'({", ".join(names) or "unknown keys"}); remove it or choose another directory'
    )


def _write_all(root: Path, config: MovingDigitsConfig, progress: bool) -> None:
    train_labels = []
    with Progress(disable=not progress) as bar:
        for split in SPLITS:
            digits, photos = load_split_digits(split), load_split_photos(split)
            count = getattr(config, f'num_{split}_videos')
            for index in bar.track(range(count), description=f'moving digits, {split}'):
                scene = make_scene(config, split, index, digits, photos)
                _write_video(root, split, index, scene)
                if split == 'train':
                    train_labels.append({track.label for track in scene.tracks})
    _write_lists(root, config, train_labels)


def _video_name(split: str, index: int) -> str:
    """Return the directory of a video below ``Data/VID/<split>``, as in ILSVRC2015."""
    batch = 'ILSVRC2015_VID_train_0000/' if split == 'train' else ''
    return f'{batch}ILSVRC2015_{split}_{index:08d}'


def _write_video(root: Path, split: str, index: int, scene: DigitScene) -> None:
    name = _video_name(split, index)
    images = root / 'Data' / 'VID' / split / name
    annotations = root / 'Annotations' / 'VID' / split / name
    images.mkdir(parents=True)
    annotations.mkdir(parents=True)
    quality = [cv2.IMWRITE_JPEG_QUALITY, scene.config.jpeg_quality]
    for t in range(scene.num_frames):
        image, objects = scene.render(t)
        frame = f'{t:06d}'
        _, jpeg = cv2.imencode('.jpg', image, quality)
        (images / f'{frame}.JPEG').write_bytes(jpeg.tobytes())
        (annotations / f'{frame}.xml').write_bytes(_annotation(name, frame, scene.frame, objects))


def _annotation(directory: str, frame: str, size: tuple[int, int], objects: Sequence[dict]) -> bytes:
    """Return the XML of one frame of (width, height) pixels, as in ILSVRC VID."""
    root = ElementTree.Element('annotation')
    head = dict(folder=directory, filename=frame, source=dict(database='moving digits'))
    _add_elements(root, **head, size=dict(width=size[0], height=size[1]))
    for item in objects:
        x1, y1, x2, y2 = item['bbox']
        fields = dict(trackid=item['track'], name=WORDNET_IDS[item['label']])
        fields['bndbox'] = dict(xmax=x2, xmin=x1, ymax=y2, ymin=y1)
        _add_elements(root, object=dict(fields, occluded=int(item['occluded']), generated=0))
    ElementTree.indent(root, '\t')
    return ElementTree.tostring(root) + b'\n'


def _add_elements(parent: ElementTree.Element, **fields) -> None:
    """Add an element for each field; those of a dict become its elements."""
    for tag, value in fields.items():
        node = ElementTree.SubElement(parent, tag)
        if isinstance(value, dict):
            _add_elements(node, **value)
        else:
            node.text = str(value)


def _write_lists(root: Path, config: MovingDigitsConfig, train_labels: Sequence[Collection[int]]) -> None:
    """Write ImageSets/VID: a list of training videos for each class, and one of val frames."""
    directory = root / 'ImageSets' / 'VID'
    directory.mkdir(parents=True)
    for label in range(10):
        videos = [_video_name('train', index) for index, labels in enumerate(train_labels) if label in labels]
        (directory / f'train_{label + 1}.txt').write_text(''.join(f'{video} 1\n' for video in videos))
    frames = [
        f'{_video_name("val", index)}/{t:06d}'
        for index in range(config.num_val_videos)
        for t in range(config.val_frames)
    ]
    (directory / 'val.txt').write_text(''.join(f'{frame} {number}\n' for number, frame in enumerate(frames, 1)))
