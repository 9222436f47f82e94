# Copyright (c) mmrdn contributors. All rights reserved.
"""A Faster R-CNN of mmdet >= 2.0, or of a video detector of mmtrack."""

from mmengine.config import Config
from torch import Tensor

from mmrdn.model_converters.config_text import check_written_out, read_config_text
from mmrdn.model_converters.source_detector import SourceDetector

_PARTS = ('backbone.', 'rpn_head.', 'roi_head.bbox_head.')
_VIDEO = 'detector.'  # where video detectors keep theirs


def is_mmdet(state: dict[str, Tensor]) -> bool:
    """Whether these are entries of a Faster R-CNN of mmdet or mmtrack."""
    return any(all(any(key.startswith(prefix + part) for key in state) for part in _PARTS) for prefix in ('', _VIDEO))


def mmdet_source(name: str, state: dict[str, Tensor], meta: dict, config: Config | None = None) -> SourceDetector:
    """Look up what the entries do not say.

    Args:
        name (str): Of the file.
        state (dict[str, Tensor]): Its entries.
        meta (dict): Its meta information: the text of the config and the classes, as mmdet 2 and 3
            write them.
        config (Config, optional): Instead of that text.

    Returns:
        SourceDetector: The detector.

    Raises:
        ValueError: Nothing says how the detector was built.
    """
    if config is None:
        text = meta.get('cfg') or meta.get('config')
        config = read_config_text(text if isinstance(text, str) else '')
    try:
        detector, data_preprocessor = settings_of(config)
        for part in ('backbone', 'rpn_head', 'roi_head'):
            check_written_out(detector[part], part)
        check_written_out(data_preprocessor, 'data_preprocessor')
    except ValueError as error:
        raise ValueError(
            f'{name} does not say how its detector was built ({error}): name its config by --source-config'
        ) from None
    keys = {key: key for key in state}
    if any(key.startswith(_VIDEO) for key in state):
        # What is beside the detector, such as relation in "neck", is another thing than the
        # detector's part of that name.
        keys = {key[len(_VIDEO) :] if key.startswith(_VIDEO) else f'video.{key}': key for key in state}
    return SourceDetector(
        name, {new: state[old] for new, old in keys.items()}, keys, detector, data_preprocessor, _classes(meta)
    )


def settings_of(config: Config) -> tuple[dict, dict]:
    """The detector and its input in a config of mmdet 2 or 3, or mmtrack.

    Returns:
        tuple[dict, dict]: ``model`` or, in a video detector, its
        ``detector``; and mean, std and ``bgr_to_rgb`` of its input.

    Raises:
        ValueError: One of them is not there; says which.
    """
    model = config.get('model')
    if not isinstance(model, dict):
        raise ValueError('no "model"')
    detector = model.get('detector') or model
    for part in ('backbone', 'rpn_head', 'roi_head'):
        if not isinstance(detector.get(part), dict):
            raise ValueError(f'no "{part}" in its model')
    for owner in (model, detector, config):
        if isinstance(owner.get('data_preprocessor'), dict):
            return detector, owner['data_preprocessor']
    old = config.get('img_norm_cfg')  # mmdet 2
    if not isinstance(old, dict):
        raise ValueError('neither "data_preprocessor" nor "img_norm_cfg"')
    return detector, dict(mean=old.get('mean'), std=old.get('std'), bgr_to_rgb=old.get('to_rgb', True))


def _classes(meta: dict) -> tuple[str, ...] | None:
    """Class names in the meta information, None if it has none."""
    data = meta.get('dataset_meta')
    data = data if isinstance(data, dict) else meta
    names = data.get('classes', data.get('CLASSES'))
    return tuple(map(str, names)) if isinstance(names, (list, tuple)) else None
