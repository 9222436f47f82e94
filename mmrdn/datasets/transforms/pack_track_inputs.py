# Copyright (c) mmrdn contributors. All rights reserved.
import itertools

import mmcv
from mmtrack.datasets.transforms import PackTrackInputs as _PackTrackInputs

from mmrdn.registry import TRANSFORMS


@TRANSFORMS.register_module()
class PackTrackInputs(_PackTrackInputs):
    """mmtrack's transform, for frames that differ in size or have lost boxes.

    Frames of a sample that differ in size are padded at the right and at the bottom, as
    ``mmdet.Pad`` does it; ``img_shape`` stays that of each. The instance ids
    of boxes that a transform dropped go too. ``is_annotated`` is packed for metrics that read the samples.

    Args:
        meta_keys (str or tuple[str]): Further keys of the meta information.
        **kwargs: See :class:`mmtrack.datasets.transforms.PackTrackInputs`.
    """

    def __init__(self, meta_keys: str | tuple[str, ...] = (), **kwargs) -> None:
        more = (meta_keys,) if isinstance(meta_keys, str) else tuple(meta_keys or ())
        super().__init__(meta_keys=('is_annotated', *more), **kwargs)

    def transform(self, results: dict) -> dict:
        """Pack a sample.

        Args:
            results (dict): Sample, each value a list over frames unless ``pack_single_img``.

        Returns:
            dict: ``inputs`` and ``data_samples``.

        Raises:
            ValueError: Boxes were dropped by a transform that makes new labels, which have no ids.
        """
        results = dict(results)
        if not self.pack_single_img:
            self._pad(results)
        if 'gt_bboxes' in results and 'gt_instances_id' in results:
            self._drop_ids(results)
        return super().transform(results)

    def _pad(self, results: dict) -> None:
        """Pad the images, and masks, to the largest height and width."""
        shapes = {image.shape[:2] for image in results.get('img', ())}
        if len(shapes) < 2:
            return
        shape = tuple(map(max, zip(*shapes)))
        results['img'] = [mmcv.impad(image, shape=shape) for image in results['img']]
        if 'gt_masks' in results:
            results['gt_masks'] = [masks.pad(shape) for masks in results['gt_masks']]

    def _drop_ids(self, results: dict) -> None:
        """Take the ids of the labels that transforms have left, where boxes were dropped."""
        names = ('gt_bboxes', 'gt_instances_id', 'gt_bboxes_labels')
        frames = [[results.get(name)] if self.pack_single_img else results.get(name, ()) for name in names]
        ids = []
        for boxes, loaded, labels in itertools.zip_longest(*frames):
            left = getattr(labels, 'instance_ids', None)
            found = loaded if left is None else left
            if len(found) != len(boxes):
                raise ValueError(
                    f'a frame has {len(boxes)} boxes and {len(found)} instance ids: a transform dropped '
                    'boxes and not their ids; load these without, LoadTrackAnnotations(with_instance_id=False)'
                )
            ids.append(found)
        results['gt_instances_id'] = ids[0] if self.pack_single_img else ids
