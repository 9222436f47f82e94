# Copyright (c) mmrdn contributors. All rights reserved.
"""Parts that CVAT's two XML formats share: the file or zip, its head, its shapes.

The format: https://docs.cvat.ai/docs/dataset_management/formats/xml_format/
"""

import io
import zipfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

from mmrdn.datasets.converters.annotated_video import Box, box_of_points
from mmrdn.datasets.converters.loss_report import LossReport
from mmrdn.datasets.converters.readers.base_reader import check_num_frames, to_integer, to_number
from mmrdn.fileio.image_files import IMAGE_SUFFIXES
from mmrdn.fileio.named_file import read_named
from mmrdn.fileio.xml_files import parse_xml

MAX_BYTES = 2**30  # of the XML in a zip: a few kilobytes can claim any size
SHAPES = ('box', 'polygon', 'mask', 'ellipse', 'cuboid')


@dataclass
class CvatFile:
    """An XML file, or a zip with one.

    Attributes:
        path (str): File, for messages.
        root (Element): Root of the XML.
        images (list[str]): Images in the zip.
    """

    path: str
    root: ElementTree.Element
    images: list[str] = field(default_factory=list)


@dataclass
class CvatTask:
    """The head of a task or job.

    Attributes:
        id (str): Id of the task.
        name (str): Name of the video: that of its file, or of the task.
        labels (list[str]): Names of the classes.
        size (tuple[int, int], optional): Width and height of the frames.
        num_frames (int, optional): Number of frames.
        start (int): Number of the first frame.
        step (int): Step of the numbers.
    """

    id: str
    name: str
    labels: list[str]
    size: tuple[int, int] | None = None
    num_frames: int | None = None
    start: int = 0
    step: int = 1


def open_cvat(path: Path) -> CvatFile:
    """Read ``annotations.xml``, by itself, in a zip or in a directory.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is broken, or something else than CVAT writes.
    """
    if path.is_dir():
        path = path / 'annotations.xml'
    content = read_named(path)
    if not content.strip():
        raise ValueError(f'{path} is empty')
    if content.startswith(b'PK'):
        file = _open_zip(content, path)
    else:
        file = CvatFile(str(path), parse_xml(content, path))
    if file.root.tag != 'annotations':
        raise ValueError(f'{file.path}: expected <annotations>, as CVAT writes, got <{file.root.tag}>')
    return file


def _open_zip(content: bytes, path: Path) -> CvatFile:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            names = file.namelist()
            inside = [name for name in names if PurePosixPath(name).name == 'annotations.xml']
            if len(inside) != 1:
                raise ValueError(f'{path}: expected one annotations.xml in the zip, got {len(inside)}')
            if file.getinfo(inside[0]).file_size > MAX_BYTES:
                raise ValueError(f'{path}: {inside[0]} claims more than {MAX_BYTES} bytes')
            xml = file.read(inside[0])
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise ValueError(f'{path}: truncated or broken zip, {error}') from None
    images = [name for name in names if name.lower().endswith(IMAGE_SUFFIXES)]
    return CvatFile(f'{path}/{inside[0]}', parse_xml(xml, f'{path}/{inside[0]}'), images)


def read_tasks(file: CvatFile) -> list[CvatTask]:
    """Return the tasks of a file: one, or those of a project."""
    meta = file.root.find('meta')
    heads = [] if meta is None else [*meta.findall('task'), *meta.findall('job'), *meta.findall('project')]
    if not heads:
        stem = PurePosixPath(file.path.replace('\\', '/'))
        while stem.name == 'annotations.xml' or stem.suffix == '.zip':  # named by the zip or directory
            stem = stem.parent if stem.name == 'annotations.xml' else stem.with_suffix('')
        return [CvatTask('', stem.stem or 'video', [])]
    head = heads[0]
    labels = [name for node in head.findall('labels/label') if (name := (node.findtext('name') or '').strip())]
    tasks = head.findall('tasks/task') if head.tag == 'project' else [head]
    return [_read_task(task, labels, f'{file.path}: <{task.tag}>') for task in tasks]


def _read_task(task: ElementTree.Element, labels: list[str], where: str) -> CvatTask:
    def integer(name: str) -> int | None:
        text = (task.findtext(name) or '').strip()
        return to_integer(text, f'<{name}>', where) if text else None

    source = (task.findtext('source') or '').strip()
    name = PurePosixPath(source.replace('\\', '/')).stem or (task.findtext('name') or '').strip() or 'video'
    found = CvatTask((task.findtext('id') or '').strip(), name.replace('/', '_'), labels)
    found.start = integer('start_frame') or 0
    step = (task.findtext('frame_filter') or '').strip()
    if step:
        found.step = to_integer(step.removeprefix('step').strip(' ='), '<frame_filter>', where)
        if found.step < 1:
            raise ValueError(f'{where}: the step of <frame_filter> must be 1 or more, got {found.step}')
    stop = integer('stop_frame')
    found.num_frames = integer('size')
    if not found.num_frames and stop is not None:
        found.num_frames = (stop - found.start) // found.step + 1
    if found.num_frames is not None:
        check_num_frames(found.num_frames, f'{where}, <size>')
    width, height = (integer(f'original_size/{side}') for side in ('width', 'height'))
    if width is not None and height is not None:
        found.size = tuple(check_num_frames(side, f'{where}, <original_size>') for side in (width, height))
    return found


def box_of_shape(shape: ElementTree.Element, where: str, losses: LossReport) -> tuple[Box, float]:
    """Return the box of a shape and its rotation in clockwise degrees about the center."""

    def number(name: str) -> float:
        if name not in shape.attrib:
            raise ValueError(f'{where} has no {name}')
        return to_number(shape.get(name), name, where)

    rotation = to_number(shape.get('rotation', '0'), 'rotation', where) % 360
    if rotation:
        losses.add(f'rotated <{shape.tag}> became upright boxes', where)
    if shape.tag == 'box':
        return (number('xtl'), number('ytl'), number('xbr'), number('ybr')), rotation
    if not rotation:
        losses.add(f'<{shape.tag}> became boxes', where)
    if shape.tag == 'mask':
        left, top = number('left'), number('top')
        return (left, top, left + number('width'), top + number('height')), 0.0
    if shape.tag == 'ellipse':
        x, y, rx, ry = number('cx'), number('cy'), number('rx'), number('ry')
        return (x - rx, y - ry, x + rx, y + ry), rotation
    if shape.tag == 'cuboid':
        corners = [f'{corner}{face}' for face in (1, 2) for corner in ('tl', 'bl', 'tr', 'br')]
        return box_of_points([(number(f'x{corner}'), number(f'y{corner}')) for corner in corners]), 0.0
    points = [point.split(',') for point in shape.get('points', '').split(';')]
    if any(len(point) != 2 for point in points):
        raise ValueError(f"{where}: points must be 'x,y;x,y;...'")
    return box_of_points([(to_number(x, 'points', where), to_number(y, 'points', where)) for x, y in points]), 0.0


def flag(shape: ElementTree.Element, name: str, where: str, default: str = '0') -> bool:
    """Return a flag of a shape."""
    value = shape.get(name, default).strip().lower()
    if value not in ('0', '1', 'true', 'false'):
        raise ValueError(f"{where}: {name} must be 0 or 1, got '{value[:20]}'")
    return value in ('1', 'true')


def label_of(node: ElementTree.Element, labels: list[str], where: str) -> str:
    """Return the class of a track or shape.

    Raises:
        ValueError: It has none, or one that the head does not name.
    """
    label = (node.get('label') or '').strip()
    if not label:
        raise ValueError(f'{where} has no label')
    if labels and label not in labels:
        raise ValueError(f"{where}: unknown class '{label}', the file's <labels> are {', '.join(labels)}")
    return label


def count_lost_parts(shape: ElementTree.Element, where: str, losses: LossReport) -> None:
    """Count the attributes of a shape, which COCO-VID has no place for."""
    for attribute in shape.findall('attribute'):
        if attribute.get('name') not in ('track_id', 'occluded', 'keyframe', 'outside'):
            losses.add('attributes were left out', f'{where}, attribute {attribute.get("name")}')
