# Copyright (c) mmrdn contributors. All rights reserved.
import functools

import mmcv
import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmengine import fileio

from mmrdn.fileio.download import shown_url
from mmrdn.fileio.image_files import decode_image
from mmrdn.fileio.located_file import read_located
from mmrdn.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadFrame(LoadImageFromFile):
    """Load an image, with one line that names the file and its fault if it is bad.

    mmcv's :class:`LoadImageFromFile` raises an AssertionError, or for an empty file OpenCV's own
    error, which names no file; and whether a truncated file is an error at all is up to the
    decoder.

    Args:
        **kwargs: See :class:`mmcv.transforms.LoadImageFromFile`.
    """

    def transform(self, results: dict) -> dict | None:
        """Load the image.

        Args:
            results (dict): Sample with ``img_path``.

        Returns:
            dict | None: ``results`` with ``img`` (H, W, 3), ``img_shape`` and ``ori_shape``; None
            for a bad image if ``ignore_empty``.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is empty, truncated or no image.
        """
        try:
            image = self._load(results['img_path'])
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
        if self.file_client_args is not None:
            get = fileio.FileClient.infer_client(self.file_client_args, path).get
        else:
            get = functools.partial(fileio.get, backend_args=self.backend_args)
        content = read_located(path, 'image', get)
        decode = None
        if (self.color_type, self.imdecode_backend) != ('color', 'cv2'):
            decode = functools.partial(mmcv.imfrombytes, flag=self.color_type, backend=self.imdecode_backend)
        return decode_image(content, shown_url(path), decode)
