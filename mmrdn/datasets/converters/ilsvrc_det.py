# Copyright (c) mmrdn contributors. All rights reserved.
"""Convert stills of ImageNet DET (ILSVRC layout) that show VID classes to COCO JSON."""

from functools import partial
from pathlib import Path

from mmrdn.datasets.converters.ilsvrc import (
    PathLike,
    check_output,
    coco_box,
    find_root,
    make_categories,
    read_annotation,
    read_list,
    run_jobs,
)
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
        names = [f'train/{name}' for name in read_list(path) if not name.startswith('ILSVRC2013_train_extra')]
    else:
        path = root / 'Annotations' / 'DET'
        names = sorted(item.relative_to(path).with_suffix('').as_posix() for item in (path / 'train').rglob('*.xml'))
    if not names:
        raise ValueError(f'{path}: no training images')
    return names


def convert_det(
    root: PathLike,
    out_file: PathLike,
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
    check_output(out_file, overwrite)
    categories = make_categories(get_class_set(classes))
    by_id = {c['encode_name']: c for c in categories}
    counts = {c['name']: 0 for c in categories}
    directory = find_root(root, 'DET')
    names = list_stills(directory)
    read = partial(read_annotation, skip_bad_boxes=skip_bad_boxes, wanted=frozenset(by_id))
    paths = [directory / 'Annotations' / 'DET' / f'{name}.xml' for name in names]
    results = run_jobs(read, paths, workers, 'DET train', progress)
    images: list[dict] = []
    annotations: list[dict] = []
    notes: list[str] = []
    for item, name in zip(results, names):
        shown = {by_id[target['name']]['name'] for target in item['objects']}
        if not shown or max(counts[c] for c in shown) >= max_per_class:
            continue
        for name_of_class in shown:
            counts[name_of_class] += 1
        notes.extend(item['notes'])
        images.append(
            dict(
                id=len(images) + 1,
                file_name=f'{name}.JPEG',
                height=item['height'],
                width=item['width'],
                is_vid_train_frame=True,
            )
        )
        for target in item['objects']:
            category_id = by_id[target['name']]['id']
            annotations.append(
                dict(id=len(annotations) + 1, image_id=len(images), category_id=category_id, **coco_box(target['box']))
            )
    if not images:
        raise ValueError(f'{directory}: no DET image shows any of the classes of {classes!r}')
    write_json(dict(categories=categories, images=images, annotations=annotations), out_file, indent=None)
    return dict(images=len(images), objects=len(annotations), images_per_class=counts, notes=notes)
