# Copyright (c) mmrdn contributors. All rights reserved.
import itertools
import os
from collections.abc import Sequence

from mmrdn.fileio.json_files import write_json
from mmrdn.fileio.whole_file import check_new, whole_file
from mmrdn.own_videos.box_checks import check_content
from mmrdn.own_videos.coco_vid_tables import CocoVidTables
from mmrdn.own_videos.file_checks import check_files
from mmrdn.own_videos.findings import to_json
from mmrdn.own_videos.fixing import write_fixed
from mmrdn.own_videos.leakage import check_leakage
from mmrdn.own_videos.report import report_html


class CheckedFiles:
    """COCO-VID files and their problems.

    Args:
        files (Sequence[str]): Paths of the files.
        images (Sequence[str], optional): Directories of their images, one for all or one each; the
            image files are not looked at if not given.
        headers_only (bool): Whether to read the sizes of images only, see :func:`check_files`.
        overwrite (bool): Whether ``outs`` may exist.
        outs (Sequence[str]): Files that will be written.

    Attributes:
        tables (list[CocoVidTables]): The files, with their findings.

    Raises:
        FileNotFoundError: A file does not exist.
        ValueError: A file is no JSON object, or none of its images is there.
        FileExistsError: A file of ``outs`` exists.
    """

    def __init__(
        self,
        files: Sequence[str],
        images: Sequence[str] | None = None,
        headers_only: bool = False,
        overwrite: bool = False,
        outs: Sequence[str] = (),
    ) -> None:
        if images and len(images) not in (1, len(files)):
            raise ValueError(
                f'--images must be one directory, or one for each of {len(files)} files, got {len(images)}'
            )
        for out in outs:
            if any(os.path.exists(out) and os.path.samefile(out, file) for file in files if os.path.exists(file)):
                raise ValueError(f'{out} is a file that is checked; choose another name')
            if not overwrite:
                check_new(out)
        self.roots = list(images or [''])
        if len(self.roots) == 1:
            self.roots *= len(files)
        self.tables, digests = [], []
        for path, root in zip(files, self.roots):
            tables = CocoVidTables(path)
            check_content(tables)
            digests.append(check_files(tables, root, headers_only) if root else ())
            self.tables.append(tables)
        for i, k in itertools.combinations(range(len(files)), 2):
            check_leakage(self.tables[i], self.tables[k], (self.roots[i], self.roots[k]), (digests[i], digests[k]))

    @property
    def num_errors(self) -> int:
        """Number of findings in all files that are no mere warnings."""
        return sum(tables.findings.num_errors for tables in self.tables)

    def lines(self, limit: int = 10) -> list[str]:
        """Return contents and problems of the files, ``limit`` findings of a kind."""
        lines = []
        for tables, root in zip(self.tables, self.roots):
            counts = (('videos', tables.videos), ('images', tables.images), ('boxes', tables.boxes))
            held = ', '.join(f'{len(columns)} {name}' for name, columns in counts)
            lines.append(f'{tables.path}: {held}, {len(tables.categories)} classes')
            if not root:
                lines.append(f'{tables.path}: image files were not looked at (--images)')
            lines += tables.findings.lines(limit)
        total = sum(sum(tables.findings.counts.values()) for tables in self.tables)
        return [*lines, f'{self.num_errors} errors, {total - self.num_errors} warnings']

    def write_fixed(self, paths: Sequence[str]) -> list[str]:
        """Write the repaired files, and return the changes."""
        if len(paths) != len(self.tables):
            raise ValueError(f'--fix must name {len(self.tables)} files, got {len(paths)}')
        lines = []
        for tables, path in zip(self.tables, paths):
            changes = write_fixed(tables, path) or ['nothing to change']
            lines += [f'{path}: {line}' for line in changes]
            left = sum(tables.findings.counts.values()) - sum(tables.findings.repaired.values())
            lines.append(f'{path}: {left} findings are left for a person')
        return lines

    def write_json(self, path: str) -> None:
        """Write the findings as JSON."""
        write_json(to_json([tables.findings for tables in self.tables]), path)

    def write_html(self, path: str) -> None:
        """Write a report with images and charts, one file."""
        with whole_file(path) as file:
            file.write(report_html(self.tables, self.roots).encode())
