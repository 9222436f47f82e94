# Copyright (c) mmrdn contributors. All rights reserved.

import mmcv
import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmengine import fileio

from mmrdn.fileio.image_files import looks_truncated
from mmrdn.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadFrame(LoadImageFromFile):
    """Load an image, and say in one line what is wrong with a bad one.

    mmcv's :class:`LoadImageFromFile` raises an AssertionError, or for an empty file OpenCV's own
    error, which names no file; and whether a truncated file is an error at all is up to the
    decoder.

    Args:
        **kwargs: See :class:`mmcv.transforms.LoadImageFromFile`.
    """

    def transform(self, results: dict) -> dict | None:
        """Load the image.

        Args:
            results (dict): With ``img_path``.

        Returns:
            dict | None: ``results`` with ``img`` (H, W, 3), ``img_shape`` and
            ``ori_shape``; None for a bad image if ``ignore_empty``.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is empty, truncated or no image.
        """
        path = results['img_path']
        try:
            image = self._load(path)
        except (OSError, ValueError):
            if self.ignore_empty:
                return None
            raise
        if self.to_float32:
            image = image.astype(np.float32)
        results['img'] = image
        results['img_shape'] = image.shape[:2]
        results['ori_shape'] = image.shape[:2]
        return results

    def _load(self, path: str) -> np.ndarray:
        try:
            if self.file_client_args is not None:
                client = fileio.FileClient.infer_client(self.file_client_args, path)
                content = client.get(path)
            else:
                content = fileio.get(path, backend_args=self.backend_args)
        except FileNotFoundError:
            raise FileNotFoundError(f'{path}: no such image') from None
        if not content:
            raise ValueError(f'{path}: the image file is empty')
        if looks_truncated(content):
            raise ValueError(f'{path}: the image file is truncated')
        try:
            image = mmcv.imfrombytes(content, flag=self.color_type, backend=self.imdecode_backend)
        except Exception as error:  # each backend has its own
            reason = ' '.join(str(error).split())
            raise ValueError(f'{path}: the image cannot be decoded, {reason}') from None
        if image is None:
            raise ValueError(f'{path}: the image cannot be decoded')
        return image
