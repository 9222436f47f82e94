# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Sequence

import numpy as np
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope

from mmrdn.inference.stream_run import check_image
from mmrdn.utils.config_types import type_name

_LOADERS = ('LoadFrame', 'LoadFrameFromVideo', 'LoadImageFromFile', 'LoadImageFromNDArray')
_ANNOTATIONS = ('LoadTrackAnnotations', 'LoadAnnotations')  # there are none


class FramePipeline:
    """A test pipeline that begins with an array instead of a file.

    Args:
        transforms (Sequence[dict]): Pipeline of the config's test data set; the first transform
            loads the image.
        scope (str, optional): Default scope of the config.
    """

    def __init__(self, transforms: Sequence[dict], scope: str | None = None) -> None:
        first = type_name(transforms[0]) if transforms else 'nothing'
        if first not in _LOADERS:
            raise ValueError(f'the test pipeline must begin with one of {", ".join(_LOADERS)}, got {first}')
        loader = dict(type='mmdet.LoadImageFromNDArray', to_float32=transforms[0].get('to_float32', False))
        with DefaultScope.overwrite_default_scope(scope or 'mmrdn'):
            self.compose = Compose([loader, *(t for t in transforms[1:] if type_name(t) not in _ANNOTATIONS)])

    def __call__(self, image: np.ndarray, frame_id: int, name: str) -> dict:
        """Preprocess a frame.

        Args:
            image (np.ndarray): (H, W, 3) uint8 BGR.
            frame_id (int): Index in its video.
            name (str): Name of the frame in messages.

        Returns:
            dict: ``inputs`` and ``data_samples`` as a data set returns them.

        Raises:
            ValueError: The image is invalid, or the pipeline cannot take it.
        """
        check_image(image, name)
        # No video_length: the end of a stream is unknown.
        info = dict(img=image, img_id=frame_id, frame_id=frame_id, video_id=0)
        try:
            return self.compose(info)
        except Exception as error:  # each transform has its own
            height, width = image.shape[:2]
            reason = ' '.join(str(error).split())
            raise ValueError(f'{name}, {width}x{height}: the test pipeline cannot take it: {reason}') from error
