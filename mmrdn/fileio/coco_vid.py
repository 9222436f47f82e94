# Copyright (c) mmrdn contributors. All rights reserved.
"""Reading COCO-VID JSON.

Boxes in such files are xywh in pixels with w = x2 - x1; in frames they are xyxy.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from mmrdn.fileio.box_entries import box_fault, faults_warning, to_xyxy
from mmrdn.fileio.coco_file import KINDS, REQUIRED, CocoFile
from mmrdn.fileio.fields import BOX, NUMBER, OBJECT, check_entries, check_entry
from mmrdn.fileio.json_files import parse_json
from mmrdn.fileio.located_file import read_located
from mmrdn.fileio.sparse_annotation import AnnotatedFrame
from mmrdn.structures import FrameAnnotations, FrameDetections
from mmrdn.utils.text import shown


class CocoVidFile(CocoFile):
    """A COCO-VID or COCO JSON file, checked once.

    Args:
        path (str): Path of the file, or a URL that MMEngine can read.
        images (Sequence[str]): Fields that images need besides their ids.
        annotations (Sequence[str]): Fields that annotations need besides their ids.
        videos (bool): Whether the file needs ``videos``.

    Attributes:
        data (dict): Content, with the lists ``images``, ``annotations``, ``categories`` and, if
            there, ``videos``.
        annotations_of (dict[Any, list[dict]]): Annotations by image id, for all images in the order
            of the file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is broken; the message names file, entry and field.
    """

    def __init__(
        self, path: str, images: Sequence[str] = (), annotations: Sequence[str] = (), videos: bool = False
    ) -> None:
        super().__init__(path)
        self.data = self._read(path)
        for part, required in REQUIRED.items():
            more = dict(images=images, annotations=annotations).get(part, ())
            if part != 'videos' or videos or self.data.get(part) is not None:
                self._check_part(part, (*required, *more))
        self._take_categories(self.data['categories'])
        self._check_unique('images', 'id', self.data['images'])
        self.annotations_of: dict[Any, list[dict]] = {image['id']: [] for image in self.data['images']}
        known = dict(
            image_id=('images', self.annotations_of), category_id=('categories', set(self.categories.values()))
        )
        for i, entry in enumerate(self.data['annotations']):
            for field, (part, ids) in known.items():
                if entry[field] not in ids:
                    raise self._unknown('annotations', i, field, entry[field], part)
            self.annotations_of[entry['image_id']].append(entry)

    def _read(self, path: str) -> dict[str, Any]:
        data = parse_json(read_located(path), self.path)
        if not isinstance(data, dict):
            raise self._error(f'expected a JSON object, got {type(data).__name__}')
        check_entry(data, dict(info=OBJECT), (), self.path)
        return data

    def _check_part(self, part: str, required: Sequence[str]) -> None:
        """Check the fields of all entries of a list."""
        kinds = KINDS[part] | (dict(bbox=BOX) if 'bbox' in required else {})
        check_entries(self.data, part, kinds, required, self.path)

    def annotated_frames(self) -> list[AnnotatedFrame]:
        """Return what is known about the annotation of each image."""
        return [
            AnnotatedFrame(
                image.get('video_id'),
                image.get('frame_id'),
                any(entry.get('bbox') for entry in self.annotations_of[image['id']]),
                said_annotated(image),
            )
            for image in self.data['images']
        ]

    def warn_of_boxes(self) -> None:
        """Log how many boxes are no ground truth as they are faulty, and where the first ones are."""
        images = {image['id']: image for image in self.data['images'] if said_annotated(image) is not False}
        faults = []
        for i, entry in enumerate(self.data['annotations']):
            image = images.get(entry['image_id'])
            if image is not None and entry.get('bbox') and not entry.get('ignore'):
                fault = box_fault(entry, image)
                faults += [] if fault is None else [(i, fault)]
        warning = faults_warning(faults)
        if warning:
            self._warn(warning)

    def ground_truth(self, classes: Sequence[str]) -> dict[Any, FrameAnnotations]:
        """Return the ground truth of each image, by image id.

        Annotations that are flagged (``ignore``, ``iscrowd``) are left out, and so are those without
        a box, of a frame with ``"is_annotated": false``, and, with a warning each, those of other
        categories and those with a faulty box (:func:`box_fault`).

        Args:
            classes (Sequence[str]): Class names in the order of the labels.

        Raises:
            ValueError: The file lacks one of the classes.
        """
        labels = self._labels(classes)
        self.warn_of_boxes()
        frames = {}
        for image in self.data['images']:
            kept = []
            is_annotated = said_annotated(image)
            for entry in self.annotations_of[image['id']] if is_annotated is not False else ():
                if entry['category_id'] not in labels or entry.get('ignore') or entry.get('iscrowd'):
                    continue
                if entry.get('bbox') and box_fault(entry, image) is None:
                    kept.append(entry)
            frames[image['id']] = FrameAnnotations(
                bboxes=[to_xyxy(entry['bbox']) for entry in kept],
                labels=[labels[entry['category_id']] for entry in kept],
                instance_ids=[entry.get('instance_id') for entry in kept],
                is_annotated=is_annotated,
                **_identity(image),
            )
        return frames

    def predictions(self, classes: Sequence[str]) -> dict[Any, FrameDetections]:
        """Return the detections of each image, by image id; those of other categories are left out.

        Args:
            classes (Sequence[str]): Class names in the order of the labels.

        Raises:
            ValueError: The file lacks one of the classes.
        """
        labels = self._labels(classes)
        frames = {}
        for image in self.data['images']:
            kept = [entry for entry in self.annotations_of[image['id']] if entry['category_id'] in labels]
            tracks = [entry.get('instance_id', -1) for entry in kept]
            frames[image['id']] = FrameDetections(
                bboxes=[to_xyxy(entry['bbox']) for entry in kept],
                scores=np.array([entry['score'] for entry in kept], float),
                labels=[labels[entry['category_id']] for entry in kept],
                track_ids=[track if isinstance(track, int) else -1 for track in tracks],
                file_name=image.get('file_name'),
                width=image.get('width'),
                height=image.get('height'),
                **_identity(image),
            )
        return frames

    def _labels(self, classes: Sequence[str]) -> dict[Any, int]:
        """Return the label of each category id that has one."""
        labels = {category_id: label for label, category_id in enumerate(self.category_ids(classes))}
        unused = sorted(set(self.categories) - set(classes))
        if unused:
            self._warn(f'no class of the data set, left out: {unused}')
        return labels

    def _warn(self, text: str) -> None:
        from mmengine.logging import MMLogger  # with torch

        MMLogger.get_current_instance().warning(f'{self.path}: {text}')

    def relations(self) -> dict[tuple, csr_array]:
        """Return the relation weights of a file of predictions.

        Returns:
            dict[tuple, csr_array]: (n, n') by pairs of image ids, boxes in the order of the file.

        Raises:
            ValueError: A relation is no pair of an annotation and a weight.
        """
        row_of: dict[Any, tuple] = {}
        for img_id, entries in self.annotations_of.items():
            for i, entry in enumerate(entries):
                if entry.get('id') in row_of:
                    raise self._error(f"annotation id '{shown(entry['id'])}' is there twice")
                if entry.get('id') is not None:
                    row_of[entry['id']] = (img_id, i)
        rows: dict[Any, int] = defaultdict(int)
        found: dict[tuple, list] = defaultdict(list)
        for number, entry in enumerate(self.data['annotations']):
            img_id = entry['image_id']
            i = rows[img_id]
            rows[img_id] += 1
            try:
                for other, weight in entry.get('relations') or ():
                    following, j = row_of[other]
                    if not NUMBER.holds(weight):
                        raise ValueError
                    found[img_id, following].append((i, j, float(weight)))
            except (KeyError, TypeError, ValueError):
                raise self._error(
                    f"annotations[{number}]: 'relations' must be pairs of an annotation id and a weight"
                ) from None
        relations = {}
        for pair, entries in found.items():
            i, j, weights = zip(*entries)
            relations[pair] = csr_array((weights, (i, j)), shape=[len(self.annotations_of[img_id]) for img_id in pair])
        return relations


def said_annotated(image: dict) -> bool | None:
    """Return ``is_annotated`` of an entry of ``images``, None where it is not said."""
    value = image.get('is_annotated')
    return None if value is None else bool(value)


def _identity(image: dict) -> dict[str, Any]:
    return dict(img_id=image['id'], video_id=image.get('video_id'), frame_id=image.get('frame_id'))
