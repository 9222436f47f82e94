# Copyright (c) mmrdn contributors. All rights reserved.
"""Read the directory layout of ILSVRC."""

import os
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from xml.etree import ElementTree

from rich.progress import Progress

from mmrdn.fileio.named_file import read_named
from mmrdn.fileio.xml_files import read_xml
from mmrdn.utils.text import shown

PathLike = str | os.PathLike
ROOT_NAMES = ('.', 'ILSVRC2015', 'ILSVRC2017', 'ILSVRC')


def find_root(root: PathLike, task: str) -> Path:
    """Find the directory that holds ``Annotations/<task>``.

    Args:
        root (str | os.PathLike): That directory, or the one that holds it under one of the names
            ``ILSVRC2015``, ``ILSVRC2017``, ``ILSVRC``.
        task (str): 'VID' or 'DET'.

    Returns:
        Path: The directory.

    Raises:
        FileNotFoundError: There is none.
    """
    for name in ROOT_NAMES:
        directory = Path(root) / name
        if (directory / 'Annotations' / task).is_dir():
            return directory
    raise FileNotFoundError(f'no Annotations/{task} in {root} nor in its directories {", ".join(ROOT_NAMES[1:])}')


def read_lines(path: PathLike) -> list[tuple[int, list[str]]]:
    """Return number and fields of every line of a list, blank lines left out.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not text.
    """
    try:
        lines = read_named(path).decode().splitlines()
    except UnicodeDecodeError:
        raise ValueError(f'{path}: not a text file') from None
    return [(number, line.split()) for number, line in enumerate(lines, 1) if line.strip()]


def read_list(path: PathLike) -> list[str]:
    """Return the first field of every line of an ImageSets list; see :func:`read_lines`."""
    return [fields[0] for _, fields in read_lines(path)]


def _text(node: ElementTree.Element, tag: str, path: PathLike) -> str:
    child = node.find(tag)
    if child is None or child.text is None or not child.text.strip():
        raise ValueError(f'{path}: <{node.tag}> has no <{tag}>')
    return child.text.strip()


def _integer(node: ElementTree.Element, tag: str, path: PathLike) -> int:
    text = _text(node, tag, path)
    if not re.fullmatch('[+-]?[0-9]{1,9}', text):
        raise ValueError(f"{path}: <{tag}> of <{node.tag}> must be an integer, got '{shown(text)}'")
    return int(text)


def _box_problem(box: Sequence[int], width: int, height: int) -> str:
    x1, y1, x2, y2 = box
    if x2 < x1:
        return f'xmax {x2} is less than xmin {x1}'
    if y2 < y1:
        return f'ymax {y2} is less than ymin {y1}'
    if x2 < 0 or y2 < 0 or x1 >= width or y1 >= height:
        return f'box ({x1}, {y1}, {x2}, {y2}) lies outside of the image of {width} x {height} pixels'
    return ''


def read_annotation(path: PathLike, skip_bad_boxes: bool = False, wanted: Collection[str] | None = None) -> dict:
    """Read one annotation file of ILSVRC VID or DET.

    A box that extends past the border of the image is cut there (its last pixel may be ``width``:
    some of ILSVRC's boxes count from 1).

    Args:
        path (str | os.PathLike): XML file.
        skip_bad_boxes (bool): Leave impossible boxes out instead of failing.
        wanted (Collection[str], optional): Names of the objects to read; the boxes of others are
            not checked. Default: all.

    Returns:
        dict: ``width``, ``height`` in pixels, ``notes`` (one line for each box that was cut or left
        out), ``tags`` (names of all elements of the objects), and ``objects``, each with ``name``
        (WordNet id), ``box`` (xmin, ymin, xmax, ymax), ``track`` (str, '' in DET), ``occluded`` and
        ``generated`` (bool).

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: It is broken; the message names file and field.
    """
    root = read_xml(path)
    if root.tag != 'annotation':
        raise ValueError(f'{path}: expected <annotation>, got <{root.tag}>')
    size = root.find('size')
    if size is None:
        raise ValueError(f'{path}: <annotation> has no <size>')
    width, height = _integer(size, 'width', path), _integer(size, 'height', path)
    if width < 1 or height < 1:
        raise ValueError(f'{path}: size must be at least 1 x 1 pixels, got {width} x {height}')
    objects, notes = [], []
    for node in root.findall('object'):
        name = _text(node, 'name', path)
        if wanted is not None and name not in wanted:
            continue
        bounds = node.find('bndbox')
        if bounds is None:
            raise ValueError(f'{path}: <object> has no <bndbox>')
        box = [_integer(bounds, tag, path) for tag in ('xmin', 'ymin', 'xmax', 'ymax')]
        problem = _box_problem(box, width, height)
        if problem and not skip_bad_boxes:
            raise ValueError(f'{path}: {problem}')
        if problem:
            notes.append(f'{path}: left out, {problem}')
            continue
        inside = [max(box[0], 0), max(box[1], 0), min(box[2], width), min(box[3], height)]
        if inside != box:
            notes.append(f'{path}: box {tuple(box)} cut at the border')
        objects.append(
            dict(
                name=name,
                box=inside,
                track=(node.findtext('trackid') or '').strip(),
                occluded=(node.findtext('occluded') or '').strip() == '1',
                generated=(node.findtext('generated') or '').strip() == '1',
            )
        )
    tags = {child.tag for node in root.findall('object') for child in node}
    return dict(width=width, height=height, objects=objects, notes=notes, tags=tags)


def run_jobs(function: Callable, jobs: Sequence, workers: int, title: str, progress: bool) -> Iterator:
    """Yield ``function(job)`` for each job, in order, with a progress bar.

    Args:
        function (Callable): Function of a job; picklable if ``workers`` is more than 1.
        jobs (Sequence): Arguments of the function.
        workers (int): Number of processes; 1 is this process.
        title (str): Title of the progress bar.
        progress (bool): Whether to show a progress bar.

    Yields:
        Any: Result of a job.
    """
    if workers < 1:
        raise ValueError(f'workers must be at least 1, got {workers}')
    pool = ProcessPoolExecutor(workers) if workers > 1 else None
    with Progress(disable=not progress) as bar, pool or nullcontext():
        results = pool.map(function, jobs, chunksize=16) if pool else map(function, jobs)
        try:
            yield from bar.track(results, len(jobs), description=title)
        except BaseException:
            if pool:
                pool.shutdown(wait=False, cancel_futures=True)
            raise


class CocoData:
    """COCO data of the images added so far; ids count from 1.

    Args:
        classes (dict[str, str]): WordNet ids by class name, in the order of the labels.

    Attributes:
        data (dict): ``categories``, ``images`` and ``annotations``.
        category_ids (dict[str, int]): Ids of the categories by WordNet id.
    """

    def __init__(self, classes: dict[str, str]) -> None:
        categories = [dict(id=i, name=name, encode_name=word) for i, (name, word) in enumerate(classes.items(), 1)]
        self.data: dict[str, list[dict]] = dict(categories=categories, images=[], annotations=[])
        self.category_ids = {category['encode_name']: category['id'] for category in categories}

    def add_image(self, file_name: str, item: dict, **fields) -> None:
        """Add an image that :func:`read_annotation` has read, with further fields."""
        size = dict(height=item['height'], width=item['width'])
        self.data['images'].append(dict(id=len(self.data['images']) + 1, file_name=file_name, **size, **fields))

    def add_object(self, target: dict, **fields) -> None:
        """Add an object of the last image, with further fields."""
        x1, y1, x2, y2 = target['box']
        self.data['annotations'].append(
            dict(
                id=len(self.data['annotations']) + 1,
                image_id=len(self.data['images']),
                category_id=self.category_ids[target['name']],
                bbox=[x1, y1, x2 - x1, y2 - y1],
                area=(x2 - x1) * (y2 - y1),
                iscrowd=False,
                **fields,
            )
        )


def check_output(path: PathLike, overwrite: bool) -> None:
    """Raise FileExistsError if a file exists and ``overwrite`` is False."""
    if Path(path).exists() and not overwrite:
        raise FileExistsError(f'{path} exists; pass --overwrite (overwrite=True) to replace it')
