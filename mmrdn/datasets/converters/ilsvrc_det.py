# Copyright (c) mmrdn contributors. All rights reserved.
"""Convert stills of ImageNet DET (ILSVRC layout) that show VID classes to COCO JSON."""

import math
from functools import partial
from pathlib import Path

from mmrdn.datasets.converters import ilsvrc
from mmrdn.datasets.converters.training_lists import read_det_list
from mmrdn.datasets.imagenet_vid_classes import get_class_set
from mmrdn.fileio.json_files import write_json


def list_stills(root: Path) -> list[str]:
    """List the training images of DET, as ``train/<name>`` without suffix.

    They come from ``ImageSets/DET/train.txt``, in its order, or without that list from the
    directories, sorted. The negative images that the list names too (directories
    ``ILSVRC2013_train_extra*``) have no annotations and show none of the classes: they are left out.

    Args:
        root (Path): Directory with Annotations, Data and ImageSets.

    Returns:
        list[str]: Names relative to ``Data/DET``.

    Raises:
        ValueError: There are none.
    """
    path = root / 'ImageSets' / 'DET' / 'train.txt'
    if path.is_file():
        names = [f'train/{name}' for name in ilsvrc.read_list(path) if not name.startswith('ILSVRC2013_train_extra')]
    else:
        path = root / 'Annotations' / 'DET'
        names = sorted(item.relative_to(path).with_suffix('').as_posix() for item in (path / 'train').rglob('*.xml'))
    if not names:
        raise ValueError(f'{path}: no training images')
    return names


def _choose_stills(
    root: Path, list_file: ilsvrc.PathLike | None, max_per_class: int | None
) -> tuple[list[tuple[str, str]], float]:
    """Return the place in a list, '' without one, and the name of each image, and the largest number of a class."""
    if list_file is None:
        limit = 2000 if max_per_class is None else max_per_class
        if limit < 1:
            raise ValueError(f'max_per_class must be at least 1, got {limit}')
        return [('', still) for still in list_stills(root)], limit
    if max_per_class is not None:
        raise ValueError(f'{list_file} chooses the images, expected no max_per_class, got {max_per_class}')
    stills = read_det_list(list_file)
    for where, still in stills:
        path = _annotation(root, still)
        if not path.is_file():
            raise FileNotFoundError(f'{where}: {path} does not exist')
    return stills, math.inf


def _annotation(root: Path, still: str) -> Path:
    return root / 'Annotations' / 'DET' / f'{still}.xml'


def convert_det(
    root: ilsvrc.PathLike,
    out_file: ilsvrc.PathLike,
    classes: str = 'imagenet_vid',
    max_per_class: int | None = None,
    workers: int = 1,
    overwrite: bool = False,
    skip_bad_boxes: bool = False,
    progress: bool = True,
    list_file: ilsvrc.PathLike | None = None,
) -> dict:
    """Convert the DET images that show VID classes to a COCO JSON file.

    Without ``list_file``, images are visited in the order of DET's own list. An image counts once for
    every VID class that it shows, and is taken if none of these has ``max_per_class`` images yet: so
    no class ever has more. Objects of the other classes of DET are left out. ``file_name`` is relative
    to ``Data/DET``. On any error nothing is written.

    Args:
        root (str | os.PathLike): Directory as for :func:`~mmrdn.datasets.converters.ilsvrc.find_root`.
        out_file (str | os.PathLike): JSON file to write.
        classes (str): 'imagenet_vid' or 'moving_digits'.
        max_per_class (int, optional): Largest number of images of a class, without ``list_file``.
            Default: 2000.
        workers (int): Number of processes that read annotations.
        overwrite (bool): Replace ``out_file`` if it exists.
        skip_bad_boxes (bool): Leave impossible boxes out instead of failing.
        progress (bool): Whether to show a progress bar.
        list_file (str | os.PathLike, optional): List of the images to take, such as
            ``DET_train_30classes.txt``; an image that it names twice is there twice.

    Returns:
        dict: Numbers of ``images`` and ``objects``, ``images_per_class`` (by class name), and
        ``notes`` on boxes that were cut or left out and on listed images without any of the classes.

    Raises:
        FileExistsError: ``out_file`` exists.
        FileNotFoundError: Something of the layout is missing.
        ValueError: An annotation or the list is broken, or an argument is wrong.
    """
    coco = ilsvrc.CocoData(get_class_set(classes))
    names_by_id = {category['encode_name']: category['name'] for category in coco.data['categories']}
    counts = dict.fromkeys(names_by_id.values(), 0)
    directory = ilsvrc.find_root(root, 'DET')
    stills, limit = _choose_stills(directory, list_file, max_per_class)
    ilsvrc.check_output(out_file, overwrite)
    read = partial(ilsvrc.read_annotation, skip_bad_boxes=skip_bad_boxes, wanted=frozenset(names_by_id))
    paths = [_annotation(directory, still) for _, still in stills]
    notes: list[str] = []
    for item, (where, still) in zip(ilsvrc.run_jobs(read, paths, workers, 'DET train', progress), stills):
        shown = {names_by_id[target['name']] for target in item['objects']}
        if not shown:
            notes += [f'{where}: {still} shows none of the classes, left out'] if where else []
            continue
        if max(counts[name] for name in shown) >= limit:
            continue
        for name in shown:
            counts[name] += 1
        notes.extend(item['notes'])
        coco.add_image(f'{still}.JPEG', item, is_vid_train_frame=True)
        for target in item['objects']:
            coco.add_object(target)
    images, annotations = coco.data['images'], coco.data['annotations']
    if not images:
        raise ValueError(f'{directory}: no DET image shows any of the classes of {classes!r}')
    write_json(coco.data, out_file, indent=None)
    return dict(images=len(images), objects=len(annotations), images_per_class=counts, notes=notes)
