# Copyright (c) mmrdn contributors. All rights reserved.
import copy
import zlib
from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
from mmengine.logging import MMLogger
from mmtrack.datasets import BaseVideoDataset

from mmrdn.datasets.lazy_list import LazyList
from mmrdn.datasets.seeded_samples import SeededSamples
from mmrdn.fileio.box_entries import box_fault, to_xyxy
from mmrdn.fileio.coco_vid import said_annotated
from mmrdn.fileio.indexed_coco_vid_file import IndexedCocoVidFile
from mmrdn.fileio.sparse_annotation import sparse_annotation
from mmrdn.registry import DATASETS


@DATASETS.register_module()
class VideoDetDataset(SeededSamples, BaseVideoDataset):
    """Videos (or stills) with boxes, from a COCO-VID (or COCO) JSON file.

    Your own data set needs only ``metainfo=dict(classes=...)``, ``ann_file`` and
    ``data_prefix=dict(img_path=...)``.

    It differs from mmtrack's :class:`BaseVideoDataset` in this:

    - label i is ``metainfo['classes'][i]``, in whatever order the file lists its categories
      (mmtrack labels in the order of the file);
    - in training, images with ``"is_vid_train_frame": false`` serve as support frames only; in
      testing every frame is used;
    - images with ``"is_annotated": false`` are support frames only, too; in testing they have no
      ground truth, and metrics that know ``is_annotated`` leave them out;
    - boxes are inclusive pixels: one with a width or height of 0 is a pixel wide or high and stays
      (mmtrack drops what is narrower than 1); in training it is given that pixel, as no loss is
      finite for a box without area;
    - random support frames always number ``num_ref_imgs`` (mmtrack returns fewer at the ends of a
      video, and then samples cannot be stacked): chosen frames are repeated, or the key frame
      itself where there is no other;
    - what is random about a sample follows from its position in the training, if the sampler is a
      :class:`SeededInfiniteSampler`;
    - what is wrong with the file is said in one line, and nothing is printed;
    - what is held is the bytes of the file, of which each sample parses its part: a twentieth of
      what Python's objects take. Worker processes share them, so ``serialize_data`` changes nothing.

    Args:
        *args: See :class:`mmtrack.datasets.BaseVideoDataset`. For stills set
            ``load_as_video=False``.
        id_prefix (str): Prefix of image and video ids, which tells data sets of one test apart.
        **kwargs: As ``*args``. ``indices`` are of what ``filter_cfg`` leaves; in testing they must keep
            whole videos.

    Raises:
        FileNotFoundError: ``ann_file`` does not exist.
        ValueError: ``ann_file`` is broken, lacks a class, or has no image to offer; the message
            names the file and the field.
    """

    def __init__(self, *args, id_prefix: str = '', **kwargs) -> None:
        self.id_prefix = id_prefix
        super().__init__(*args, **kwargs)

    def _join_prefix(self) -> None:
        """MMEngine's hook: complete the paths; take ``img``, as mmdet's data sets have it, for ``img_path``."""
        name, prefix = type(self).__name__, self.data_prefix
        if not isinstance(prefix, dict) or list(prefix) not in ([], ['img'], ['img_path']):
            got = list(prefix) if isinstance(prefix, dict) else repr(prefix)
            raise ValueError(f'{name}: data_prefix must have the key img_path (or img) alone, got {got}')
        for key, path in prefix.items():
            if not isinstance(path, str):
                raise ValueError(f'{name}: data_prefix.{key} must be a string, got {path!r}')
        self.data_prefix = dict(img_path=next(iter(prefix.values()), ''))
        super()._join_prefix()

    def _id(self, value: Any) -> Any:
        """Return an id of the file with the prefix of this data set."""
        return f'{self.id_prefix}{value}' if self.id_prefix else value

    def load_data_list(self) -> tuple[Sequence[dict], list[int]]:
        """Read ``ann_file``.

        Returns:
            tuple[Sequence[dict], list[int]]: All images, the frames of a video
            together and in order, and the indices of those to be used as key images.
        """
        classes = self.metainfo.get('classes')
        if not classes:
            raise ValueError(f'{type(self).__name__}: metainfo must give classes, e.g. dict(classes=("car", "dog"))')
        if isinstance(classes, str):
            raise ValueError(f'{type(self).__name__}: classes of metainfo must be a tuple of names, got {classes!r}')
        interval = (self.key_img_sampler or {}).get('interval', 1) if self.load_as_video else 1
        if self.test_mode and interval != 1:
            raise ValueError(
                f'{type(self).__name__}: key_img_sampler must have interval=1 in testing, where every frame counts, '
                f'got {interval}'
            )
        self.file = file = IndexedCocoVidFile(self.ann_file, by_video=self.load_as_video)
        if not self.test_mode and not (self.filter_cfg or {}).get('filter_empty_gt', True):
            warning = sparse_annotation(file.annotated_frames())  # in testing the metric says it
            if warning:
                MMLogger.get_current_instance().warning(f'{file.path}: {warning}')
        file.warn_of_boxes()
        self.cat_ids = file.category_ids(classes)
        self.cat2label = {cat_id: i for i, cat_id in enumerate(self.cat_ids)}
        is_key = file.frame_ids % interval == 0
        if not self.test_mode:
            is_key &= (file.is_annotated != 0) & self.trains_on()
        self.serialize_data = False  # of the lazy list: what it is made of is bytes already
        return LazyList(len(file), self._load_data_info), np.flatnonzero(is_key).tolist()

    def _load_data_info(self, number: int) -> dict:
        """Return an image and its annotations, parsed from the file."""
        image, annotations = self.file.entries(number)
        is_annotated = said_annotated(image)
        info = dict(image, img_id=self._id(image['id']), is_annotated=is_annotated)
        if self.load_as_video:
            info.update(video_id=self._id(image['video_id']), video_length=self.file.video_lengths[number].item())
        return self.parse_data_info(
            dict(raw_img_info=info, raw_ann_info=annotations if is_annotated is not False else [])
        )

    def trains_on(self) -> np.ndarray:
        """Return whether a training may have each image of the file as its key image, (n,) bool."""
        return self.file.is_vid_train_frame

    def parse_data_info(self, raw_data_info: dict) -> dict:
        """Parse an image and its annotations, by the rule of the metric for what is ground truth.

        Args:
            raw_data_info (dict): ``raw_img_info`` and ``raw_ann_info``, entries of the file.

        Returns:
            dict: What mmtrack's method returns, with ``instances``.
        """
        info = super().parse_data_info(dict(raw_data_info, raw_ann_info=[]))
        for i, entry in enumerate(raw_data_info['raw_ann_info']):
            box, label = to_xyxy(entry['bbox']), self.cat2label.get(entry['category_id'])
            if label is None or entry.get('ignore') or box_fault(entry, info):
                continue
            if not self.test_mode:
                box[2:] = max(box[2], box[0] + 1), max(box[3], box[1] + 1)
            instance = dict(bbox=box, bbox_label=label, ignore_flag=int(bool(entry.get('iscrowd'))))
            if not self.test_mode:
                instance['instance_id'] = _instance_number(entry.get('instance_id'), i)
            elif entry.get('instance_id') is not None:
                instance['instance_id'] = entry['instance_id']
            if entry.get('segmentation'):
                instance['mask'] = entry['segmentation']
            info['instances'].append(instance)
        return info

    def filter_data(self) -> list[int]:
        """Leave out what ``filter_cfg`` says, as mmtrack does, and take ``indices`` of the rest.

        Returns:
            list[int]: Indices into ``data_list``.

        Raises:
            ValueError: No image is left, or ``indices`` do not fit.
        """
        indices, options = np.array(self.valid_data_indices, int), self.filter_cfg or {}
        if not self.test_mode:
            least = options.get('min_size', 32)  # pixels, as mmtrack has it
            kept = self.file.sizes.min(axis=1) >= least
            self._log_left_out(indices[~kept[indices]], least)
            if options.get('filter_empty_gt', True):
                kept &= self.file.has_box(self.cat_ids)
            indices = indices[kept[indices]]
        if not len(indices):
            flags = 'without a false "is_vid_train_frame" or "is_annotated", with a box of one of the classes'
            kind = 'testing' if self.test_mode else f'training ({flags})'
            raise ValueError(f'{self.ann_file}: no image of its {len(self.data_list)} is left for {kind}')
        chosen = indices.tolist()
        if self._indices is not None:
            chosen = self._chosen(chosen, self._indices)
            self._check_whole_videos(chosen)
        return chosen

    def _log_left_out(self, small: np.ndarray, least: int) -> None:
        """Log how many images are no key images of a training, as nobody annotated them or for their size."""
        warn = MMLogger.get_current_instance().warning
        num_supports = np.count_nonzero(self.file.is_annotated == 0)
        if num_supports:
            warn(
                f'{self.ann_file}: {num_supports} of {len(self.data_list)} images have "is_annotated": false and are '
                'support frames only'
            )
        if len(small):
            warn(
                f'{self.ann_file}: {len(small)} of {len(self.valid_data_indices)} images have a side below {least} '
                f'pixels and are left out (filter_cfg=dict(min_size={least})), the first is '
                f'{self.data_list[small[0]]["file_name"]}'
            )

    def _chosen(self, available: list[int], indices: int | Sequence[int]) -> list[int]:
        """Return some of the samples: the first n, the last n for -n, or those of a list."""
        size, given = len(available), np.array(indices, dtype=object)
        if given.ndim > 1 or not all(isinstance(one, Integral) and not isinstance(one, bool) for one in given.flat):
            raise ValueError(f'{self.ann_file}: indices must be an integer or a list of integers, got {indices!r}')
        count = given.item() if given.ndim == 0 else None
        numbers = given.tolist() if count is None else [count - 1 if count > 0 else count]
        if not numbers or count == 0 or not all(-size <= number < size for number in numbers):
            raise ValueError(f'{self.ann_file}: indices must be some of its {size} samples, got {indices}')
        if count is not None:
            return available[:count] if count > 0 else available[count:]
        return [available[number] for number in numbers]

    def _check_whole_videos(self, chosen: list[int]) -> None:
        """Refuse a choice that leaves parts of videos to a test."""
        if not self.test_mode or not self.load_as_video:
            return
        position = 0
        while position < len(chosen):
            info = self.data_list[chosen[position]]
            whole = list(range(chosen[position], chosen[position] + info['video_length']))
            if info['frame_id'] != 0 or chosen[position : position + len(whole)] != whole:
                raise ValueError(
                    f'{self.ann_file}: indices must keep whole videos in testing, got parts of video {info["video_id"]}'
                )
            position += len(whole)

    def get_subset_(self, indices: int | Sequence[int]) -> None:
        """Keep some of the samples; other frames of their videos still are support frames.

        Args:
            indices (int or Sequence[int]): The first n samples, the last n for -n, or those of a list.
        """
        self.full_init()
        self.valid_data_indices = self._chosen(self.valid_data_indices, indices)

    def get_subset(self, indices: int | Sequence[int]) -> 'VideoDetDataset':
        """Return a data set of some of the samples, see :meth:`get_subset_`."""
        subset = copy.copy(self)
        subset.get_subset_(indices)
        return subset

    def ref_img_sampling(
        self,
        idx: int,
        data_info: dict,
        frame_range: list,
        stride: int = 1,
        num_ref_imgs: int = 1,
        filter_key_img: bool = True,
        method: str = 'uniform',
    ) -> list[dict]:
        """Sample support frames; see mmtrack's method for the arguments.

        Returns:
            list[dict]: The key image, then the support images in the order of
            their frames; exactly ``num_ref_imgs`` of them unless ``method`` is one of mmtrack's
            ``'test_*'``, which choose by themselves.
        """
        options = dict(stride=stride, num_ref_imgs=num_ref_imgs, filter_key_img=filter_key_img, method=method)
        key, *support = super().ref_img_sampling(idx, data_info, frame_range, **options)
        if method.startswith('test'):
            return [key, *support]
        chosen = support or [key]
        for i in range(num_ref_imgs - len(support)):
            support.append(copy.deepcopy(chosen[i % len(chosen)]))
        return [key, *sorted(support, key=lambda info: info.get('frame_id', 0))]


def _instance_number(instance_id: Any, default: int) -> int:
    """Return an instance id as the integer of 32 bits that mmtrack's transforms need."""
    if instance_id is None:
        return default
    is_number = isinstance(instance_id, int) and abs(instance_id) < 2**31
    return instance_id if is_number else zlib.crc32(repr(instance_id).encode()) >> 1
