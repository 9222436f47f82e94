# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Sequence
from typing import Any

from mmrdn.fileio.coco_vid import CocoVidFile

_IDS = dict(videos=('id',), images=('id', 'video_id'), annotations=('id', 'image_id', 'video_id'))


class JoinedCocoVidFiles(CocoVidFile):
    """Several COCO-VID files as one, whose classes are known by name.

    Ids of images, videos and annotations of file i get the prefix ``i/``, as
    :class:`mmrdn.datasets.ConcatDataset` gives it to those of its data set i in testing.

    Args:
        paths (Sequence[str]): Paths of the files, or URLs.
        **fields: See :class:`CocoVidFile`.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A file is broken; the message names file, entry and field.
    """

    def __init__(self, paths: Sequence[str], **fields: Any) -> None:
        if not paths:
            raise ValueError('expected the names of one or more files of annotations, got none')
        self._files = [CocoVidFile(path, **fields) for path in paths]
        super().__init__(' and '.join(file.path for file in self._files), **fields)

    def _read(self, path: str) -> dict[str, Any]:
        """Return the content of all files."""
        names = list(dict.fromkeys(name for file in self._files for name in file.categories))
        joined: dict[str, Any] = dict(categories=[dict(id=i, name=name) for i, name in enumerate(names, 1)])
        joined.update({part: [] for part in _IDS})
        for i, file in enumerate(self._files):
            new_ids = {old: names.index(name) + 1 for name, old in file.categories.items()}
            for part, ids in _IDS.items():
                for entry in file.data.get(part) or ():
                    more = {name: f'{i}/{entry[name]}' for name in ids if entry.get(name) is not None}
                    if part == 'annotations':
                        more['category_id'] = new_ids[entry['category_id']]
                    joined[part].append(entry | more)
        return joined

    def warn_of_boxes(self) -> None:
        """Log the faulty boxes of each file."""
        for file in self._files:
            file.warn_of_boxes()
