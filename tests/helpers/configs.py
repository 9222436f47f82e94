# Copyright (c) mmrdn contributors. All rights reserved.
"""Read and build the configs in configs/.

Models are built on the meta device: no memory, no time, real shapes.
"""

import copy
import functools
import inspect
import re
from pathlib import Path
from unittest import mock

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmrdn.registry import DATASETS, MODELS
from mmrdn.setup_env import register_all_modules

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(path for path in (ROOT / 'configs').glob('*/*.py') if '_base_' not in path.parts)


def _in_folder(name):
    return {path.stem: path for path in FILES if path.parent.name == name}


RDN = _in_folder('rdn')
MEGA = _in_folder('rdn_mega')
LINKED = sorted(  # a config of RDN, with box linking in testing
    stem for stem in RDN if stem.startswith(('rdn-blr_', 'rdn-seqnms_', 'rdn-tubes_'))
)
# Parts of RDN in or with those of others, see docs/combinations.md.
MIXED = {
    path.stem: path
    for path in FILES
    if re.match('selsa-relation_|rdn-(selsa|troia)_|.*[_-](fpn|cascade-rcnn)_', path.stem)
    and path.stem[-6:] != '_davis'
}
DAVIS = sorted(stem for stem in RDN if stem.endswith('_davis'))
VID = sorted(stem for stem in RDN if stem.endswith('_imagenetvid') and stem not in (*LINKED, *MIXED))
# Trained as mmtrack's detectors on moving digits, see docs/comparison.md.
COMPARED = sorted(stem for stem in RDN if '-gn_' in stem)
DIGITS = sorted(stem for stem in RDN if stem.endswith('_movingdigits') and stem not in (*LINKED, *MIXED, *COMPARED))
MIXED_VID = [stem for stem in MIXED if stem.endswith('_imagenetvid')]
MIXED_DIGITS = [stem for stem in MIXED if stem.endswith('_movingdigits')]
OURS = sorted({*RDN.values(), *MEGA.values(), *MIXED.values()})
MMTRACK = [path for path in FILES if path not in OURS]  # its detectors


@functools.cache
def _read(path):
    return Config.fromfile(path)


def load(path):
    """A copy of the config that may be changed."""
    return copy.deepcopy(_read(path))


def arguments(kind):
    """Names that a class can be built with; where it passes ``**kwargs`` on, those of its bases too."""
    names = set()
    for base in kind.__mro__ if inspect.isclass(kind) else [kind]:
        parameters = inspect.signature(base).parameters.values()
        names |= {item.name for item in parameters if item.kind not in (item.VAR_POSITIONAL, item.VAR_KEYWORD)}
        if all(item.kind is not item.VAR_KEYWORD for item in parameters):
            break
    return names


@functools.cache
def build(path, options=()):
    """The model on the meta device; options as in --cfg-options."""
    cfg = load(path)
    cfg.merge_from_dict(dict(options))
    without_downloads(cfg.model)
    register_all_modules(init_default_scope=False)
    init_default_scope(cfg.default_scope)
    # Swin asks for the values of a linspace while it is built.
    linspace = functools.partial(torch.linspace, device='cpu')
    with torch.device('meta'), mock.patch.object(torch, 'linspace', linspace):
        return MODELS.build(cfg.model)


def without_downloads(node):
    """Switch pretrained weights off, wherever they are named."""
    if isinstance(node, dict):
        init_cfg = node.get('init_cfg')
        if isinstance(init_cfg, dict) and init_cfg.get('type') == 'Pretrained':
            node['init_cfg'] = None
        for value in node.values():
            without_downloads(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            without_downloads(value)


def datasets(cfg):
    """Every data set that a config names, ConcatDataset taken apart."""
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        dataset = cfg[name].dataset
        assert DATASETS.get(dataset.type), dataset.type
        yield from dataset.get('datasets', [dataset])
