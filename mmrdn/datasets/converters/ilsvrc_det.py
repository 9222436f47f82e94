# Copyright (c) mmrdn contributors. All rights reserved.
"""Convert stills of ImageNet DET (ILSVRC layout) that show VID classes to COCO JSON."""

from functools import partial
from pathlib import Path

from mmrdn.datasets.converters import ilsvrc
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


def convert_det(
    root: ilsvrc.PathLike,
    out_file: ilsvrc.PathLike,
    classes: str = 'imagenet_vid',
    max_per_class: int = 2000,
    workers: int = 1,
    overwrite: bool = False,
    skip_bad_boxes: bool = False,
    progress: bool = True,
) -> dict:
    """Convert the DET images that show VID classes to a COCO JSON file.

    Images are visited in the order of the list. An image counts once for every VID class that it
    shows, and is taken if none of these has ``max_per_class`` images yet: so no class ever has
    more. Objects of the other classes of DET are left out. ``file_name`` is relative to
    ``Data/DET``. On any error nothing is written.

    Args:
        root (str | os.PathLike): Directory as for :func:`~mmrdn.datasets.converters.ilsvrc.find_root`.
        out_file (str | os.PathLike): JSON file to write.
        classes (str): 'imagenet_vid' or 'moving_digits'.
        max_per_class (int): Largest number of images of a class.
        workers (int): Number of processes that read annotations.
        overwrite (bool): Replace ``out_file`` if it exists.
        skip_bad_boxes (bool): Leave impossible boxes out instead of failing.
        progress (bool): Whether to show a progress bar.

    Returns:
        dict: Numbers of ``images`` and ``objects``, ``images_per_class`` (by class name), and
        ``notes`` on boxes that were cut or left out.

    Raises:
        FileExistsError: ``out_file`` exists.
        FileNotFoundError: Something of the layout is missing.
        ValueError: An annotation is broken.
    """
    if max_per_class < 1:
        raise ValueError(f'max_per_class must be at least 1, got {max_per_class}')
    ilsvrc.check_output(out_file, overwrite)
    coco = ilsvrc.CocoData(get_class_set(classes))
    names_by_id = {category['encode_name']: category['name'] for category in coco.data['categories']}
    counts = dict.fromkeys(names_by_id.values(), 0)
    directory = ilsvrc.find_root(root, 'DET')
    stills = list_stills(directory)
    read = partial(ilsvrc.read_annotation, skip_bad_boxes=skip_bad_boxes, wanted=frozenset(names_by_id))
    paths = [directory / 'Annotations' / 'DET' / f'{still}.xml' for still in stills]
    notes: list[str] = []
    for item, still in zip(ilsvrc.run_jobs(read, paths, workers, 'DET train', progress), stills):
        shown = {names_by_id[target['name']] for target in item['objects']}
        if not shown or max(counts[name] for name in shown) >= max_per_class:
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
