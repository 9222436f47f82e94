# Copyright (c) mmrdn contributors. All rights reserved.
"""Find videos by a manifest, a directory or a pattern, and give each a distinct name."""

import glob
import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from mmrdn.fileio.image_files import IMAGE_SUFFIXES
from mmrdn.fileio.video_files import VIDEO_SUFFIXES
from mmrdn.utils.cli import printable

_MAX_KEY = 180  # bytes; file systems take 255, and what is temporary has a longer name


@dataclass
class VideoList:
    """Videos by the name that their outputs have.

    Attributes:
        root (str): Directory that names are relative to.
        paths (dict[str, str]): Path of each video by its name, in order.
        left_out (list[str]): Paths that were found and are no videos by their names.
    """

    root: str
    paths: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def add(self, path: str) -> None:
        """Add a video; one that is there already counts once."""
        path = os.path.abspath(path)
        inside = path.startswith(os.path.join(self.root, ''))
        self.paths.setdefault(os.path.relpath(path, self.root) if inside else path, path)


def find_videos(spec: str | Path, out_dir: str | Path) -> VideoList:
    """Find the videos that a user names.

    Args:
        spec (str or Path): A directory, with the video files and the directories of images at any
            depth; a pattern (``**`` for any depth) of video files and directories of images; a video
            file; or a manifest: a text file with a path a line, relative to its own directory. Lines that
            begin with ``#`` are comments.
        out_dir (str or Path): Directory of outputs; what lies in it is left out.

    Returns:
        VideoList: The videos in the order of the manifest, else of their paths.

    Raises:
        FileNotFoundError: Nothing of this name exists, or it contains no video.
        ValueError: The manifest is not text, or names something that is neither file nor directory.
    """
    spec = str(spec)
    out_dir = os.path.abspath(out_dir)
    if os.path.isdir(spec):
        videos = _walk(os.path.abspath(spec), out_dir)
    elif os.path.isfile(spec):
        videos = VideoList(os.path.dirname(os.path.abspath(spec)))
        for path in [spec] if spec.lower().endswith(VIDEO_SUFFIXES) else _read_manifest(spec):
            videos.add(path)
    elif re.search(r'[*?\[]', spec):
        videos = _match(spec, out_dir)
    else:
        raise FileNotFoundError(f'{spec} does not exist')
    if not videos.paths:
        images = os.path.isdir(spec) and _with_suffix(os.listdir(spec), IMAGE_SUFFIXES)
        hint = ', but images: of a single video give the directory above it, or a manifest with its path'
        raise FileNotFoundError(f'{spec}: there is no video' + (hint if images else ''))
    return videos


def _read_manifest(path: str) -> list[str]:
    """Return the paths in a manifest."""
    text = Path(path).read_text(encoding='utf-8-sig', errors='surrogateescape')  # file names may be any bytes
    if '\0' in text:
        raise ValueError(f'{path} is neither a manifest (text with a path a line) nor a video by its name')
    directory, paths = os.path.dirname(os.path.abspath(path)), []
    for number, line in enumerate(map(str.strip, text.splitlines()), 1):
        found = os.path.join(directory, line)
        if re.match(r'[a-z][a-z0-9+.-]*://', line, re.IGNORECASE) or line == '-':
            raise ValueError(f'{path}, line {number}: expected the path of a file or directory, got {printable(line)}')
        if line.startswith('#') and os.path.exists(found):
            raise ValueError(
                f'{path}, line {number}: # begins a comment, but {printable(line)} exists: write ./{printable(line)}'
            )
        if line and not line.startswith('#'):
            paths.append(found)
    return paths


def _walk(root: str, out_dir: str) -> VideoList:
    """Return the video files below a directory, and the directories of images that hold none."""
    videos = VideoList(root)
    seen, found = set(), []
    for directory, directories, files in os.walk(root, followlinks=True, onerror=_raise):
        identity = os.path.realpath(directory)
        if identity in seen:  # a link to a directory above
            directories.clear()
            continue
        seen.add(identity)
        directories[:] = [d for d in directories if not d.startswith('.') and os.path.join(directory, d) != out_dir]
        files = [os.path.join(directory, file) for file in files if not file.startswith('.')]
        own = _with_suffix(files, VIDEO_SUFFIXES)
        images = _with_suffix(files, IMAGE_SUFFIXES)
        found += own
        if images and not own and directory != root:
            found.append(directory)
            own = images
        videos.left_out += sorted(set(files) - set(own))
    for path in sorted(found):
        videos.add(path)
    return videos


def _match(pattern: str, out_dir: str) -> VideoList:
    """Return the files and directories of images that a pattern matches."""
    fixed = re.split(r'[*?\[]', pattern)[0]
    videos = VideoList(os.path.abspath(os.path.dirname(fixed)))
    for path in sorted(set(map(os.path.abspath, glob.glob(pattern, recursive=True)))):
        if path == out_dir or path.startswith(os.path.join(out_dir, '')):
            continue
        if os.path.isdir(path):
            files = os.listdir(path)
            if _with_suffix(files, IMAGE_SUFFIXES) and not _with_suffix(files, VIDEO_SUFFIXES):
                videos.add(path)
        elif path.lower().endswith(VIDEO_SUFFIXES):
            videos.add(path)
        else:
            videos.left_out.append(path)
    return videos


def _with_suffix(paths: Iterable[str], suffixes: tuple[str, ...]) -> list[str]:
    return [path for path in paths if path.lower().endswith(suffixes)]


def _raise(error: OSError) -> None:
    raise error


def directory_name(video: str) -> str:
    """Return the name of a video as that of one directory, which no other video has.

    A slash is written ``%2F`` and so on; a very long name ends in a hash.
    """
    key = video.replace('%', '%25').replace('/', '%2F')
    if key.startswith('.') or key == 'failures.jsonl':
        key = f'%{ord(key[0]):02X}{key[1:]}'
    if len(os.fsencode(key)) > _MAX_KEY:
        start = os.fsencode(key)[: _MAX_KEY - 20].decode('utf-8', 'ignore')
        key = f'{start}%%{hashlib.sha256(os.fsencode(video)).hexdigest()[:16]}'
    return key
