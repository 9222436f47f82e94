# Copyright (c) mmrdn contributors. All rights reserved.
"""Guess the annotation format of a file, for messages."""

import re
import zipfile
from itertools import islice
from pathlib import Path

_HEAD = 1 << 20  # bytes that are looked at
_NUM_TRIED = 5  # files of a kind in a directory; some only explain the others
_JSON_KEYS = (
    ('label-studio', (b'"videorectangle"',)),
    ('label-studio', (b'"sequence"', b'"framesCount"')),
    ('ytvis', (b'"videos"', b'"bboxes"')),
    ('ytvis', (b'"videos"', b'"file_names"')),
    ('labelme', (b'"shapes"', b'"imagePath"')),
    ('coco', (b'"images"', b'"categories"')),
    ('coco', (b'"images"', b'"annotations"')),
)


def guess_format(path: Path) -> str | None:
    """Return the name of the format that a file, or a file of a directory, looks like; None if of none."""
    try:
        if path.is_dir():
            return _guess_directory(path)
        with open(path, 'rb') as file:
            head = file.read(_HEAD)
        if head.startswith(b'PK'):
            with zipfile.ZipFile(path) as archive:
                names = [name for name in archive.namelist() if name.endswith('annotations.xml')]
                with archive.open(names[0]) as file:
                    head = file.read(_HEAD)
    except (OSError, zipfile.BadZipFile, IndexError, RuntimeError, NotImplementedError, EOFError):
        return None
    return _guess_text(head.lstrip(b'\xef\xbb\xbf \t\r\n'))


def _guess_directory(path: Path) -> str | None:
    if (path / 'gt' / 'gt.txt').is_file() or any(path.glob('*/gt/gt.txt')):
        return 'mot'
    if (path / 'data.yaml').is_file():
        return 'yolo'
    if (path / 'Annotations' / 'VID').is_dir():
        return 'ilsvrc'
    for pattern in ('*.xml', '*.json', '*.txt'):
        for file in (*sorted(path.glob(pattern))[:1], *islice(path.rglob(pattern), _NUM_TRIED)):
            if found := guess_format(file):
                return found
    return None


def _guess_text(head: bytes) -> str | None:
    if head.startswith(b'<'):
        return _guess_xml(head)
    if head[:1] in (b'{', b'['):
        return next((name for name, keys in _JSON_KEYS if all(key in head for key in keys)), None)
    line = head.splitlines()[0].strip().decode('ascii', 'replace') if head else ''
    if re.fullmatch(r'[-0-9.e+, ]+', line) and ',' in line:
        return _guess_commas([cell.strip() for cell in line.rstrip(',').split(',')])
    cells = line.split()
    if len(cells) in (17, 18) and re.fullmatch('[A-Za-z_]+', cells[2]):
        return 'kitti'
    if len(cells) >= 5 and re.fullmatch('[0-9]+', cells[0]) and all(_is_share(cell) for cell in cells[1:5]):
        return 'yolo'
    return None


def _guess_xml(head: bytes) -> str | None:
    if b'<annotations' in head:
        if b'<image ' in head and b'<track ' not in head:
            return 'cvat-images'
        return 'cvat-video'
    if b'<annotation' not in head:
        return None
    return 'ilsvrc' if re.search(rb'<generated>|<name>n[0-9]{8}</name>|ILSVRC', head) else 'voc'


def _guess_commas(cells: list[str]) -> str | None:
    integers = all(re.fullmatch('-?[0-9]+', cell) for cell in cells)
    if integers and len(cells) in (8, 10) and '-1' not in cells[6:]:
        return 'visdrone'
    return 'mot' if 7 <= len(cells) <= 10 else None


def _is_share(text: str) -> bool:
    return bool(re.fullmatch(r'0?\.[0-9]+|[01](\.[0-9]*)?', text))
