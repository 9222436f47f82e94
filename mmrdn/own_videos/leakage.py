# Copyright (c) mmrdn contributors. All rights reserved.
import os
from collections import Counter
from collections.abc import Sequence

from mmrdn.own_videos.coco_vid_tables import CocoVidTables


def check_leakage(
    first: CocoVidTables,
    second: CocoVidTables,
    roots: tuple[str | os.PathLike, str | os.PathLike] = ('', ''),
    digests: tuple[Sequence[bytes], Sequence[bytes]] = ((), ()),
) -> None:
    """Add the videos of a file that are in another file too to its findings.

    Videos are the same if they have one name, or share frames: files of one path, or of the same
    bytes. Re-encoded frames under other names are not recognized.

    Args:
        first (CocoVidTables): A file, such as that of the training.
        second (CocoVidTables): Another one, such as that of the validation, which gets the findings.
        roots (tuple[str or Path, str or Path]): Directories of their images.
        digests (tuple[Sequence[bytes], Sequence[bytes]]): Hashes of their images, if these were read.
    """
    names = {name: row for row, name in enumerate(first.videos.names) if name is not None}
    paths = _paths(first, roots[0])
    contents = set(digests[0]) - {b''}
    same_path, same_content = Counter[int](), Counter[int]()
    for row, path in enumerate(_paths(second, roots[1], ordered=True)):
        video = int(second.images.video[row])
        same_path[video] += path in paths
        same_content[video] += bool(contents) and digests[1][row] in contents
    for row, name in enumerate(second.videos.names):
        reasons = []
        if name in names:
            reasons.append(f'has the name of {first.videos.part}[{first.videos.index[names[name]]}]')
        if same_path[row]:
            reasons.append(f'shares {same_path[row]} files')
        elif same_content[row]:
            reasons.append(f'shares {same_content[row]} frames under other names')
        if reasons:
            text = f"'{second.videos.label(row)}' {' and '.join(reasons)} in {first.path}"
            second.findings.add('leakage', 'name' if name in names else 'file_name', text, **second.videos.at(row))


def _paths(tables: CocoVidTables, root: str | os.PathLike, ordered: bool = False):
    paths = (os.path.normpath(os.path.join(root, str(name))) for name in tables.images.names)
    return paths if ordered else set(paths)
