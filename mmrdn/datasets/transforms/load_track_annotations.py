# Copyright (c) mmrdn contributors. All rights reserved.
from mmengine.logging import MMLogger
from mmtrack.datasets.transforms import LoadTrackAnnotations as _LoadTrackAnnotations

from mmrdn.datasets.transforms.numbered_labels import NumberedLabels
from mmrdn.fileio.size_warning import size_warning
from mmrdn.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadTrackAnnotations(_LoadTrackAnnotations):
    """mmtrack's transform, whose instance ids survive transforms, and which names images of another size.

    If a transform drops boxes and their labels, :class:`PackTrackInputs` takes the ids of those
    that are left, see :class:`NumberedLabels`.

    If an image has another size than its entry in the file says, its boxes hardly fit. Each worker
    process warns of the first such image, of the 10th, the 100th and so on.

    Args:
        **kwargs: See :class:`mmtrack.datasets.transforms.LoadTrackAnnotations`.
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self._num_others = 0  # images of another size

    def transform(self, results: dict) -> dict:
        """Load the annotations.

        Args:
            results (dict): Sample of a single frame.

        Returns:
            dict: ``results`` with the annotations.
        """
        said, shape = (results.get('height'), results.get('width')), results.get('ori_shape')
        if None not in said and shape is not None and said != tuple(shape):
            self._count_other(results['img_path'], shape, said)
        return super().transform(results)

    def _count_other(self, path: str, shape: tuple[int, int], said: tuple[int, int]) -> None:
        """Count an image of another size, and warn from time to time."""
        self._num_others += 1
        if self._num_others in (1, 10, 100, 1000, 10000, 100000):
            MMLogger.get_current_instance().warning(size_warning(self._num_others, path, shape, said))

    def _load_instances_id(self, results: dict) -> None:
        """mmtrack's hook."""
        # In testing, objects without an id have none.
        numbered = [{'instance_id': i, **instance} for i, instance in enumerate(results['instances'])]
        loaded = dict(results, instances=numbered)
        super()._load_instances_id(loaded)
        ids = results['gt_instances_id'] = loaded['gt_instances_id']
        if self.with_label:
            results['gt_bboxes_labels'] = NumberedLabels.of(results['gt_bboxes_labels'], ids)
