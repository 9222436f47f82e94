# Copyright (c) mmrdn contributors. All rights reserved.
"""The one place for differences between the installed OpenMMLab versions.

mmtrack 1.0.0rc1, the newest there is, was released for mmcv 2.0.0rc and mmdet 3.0.0rc.
:func:`apply` makes it work beside newer ones without editing a file of another package, and does
nothing where the versions agree already:

- mmtrack and mmcls assert old mmcv / mmdet versions when they are imported: they are imported once
  with these versions in place.
- ``mmtrack.models`` wants ``mmdet.models.layers.Transformer``, which newer mmdet no longer has (one
  single-object tracking head uses it): a placeholder takes its place, and raises when it is built.
- mmcv may come without its compiled operators: those of :mod:`mmrdn.ops` stand in for them. With
  ``MMRDN_OPS=own`` in the environment they also do where mmcv is compiled.
- mmtrack datasets write ``CLASSES`` in their meta information, newer mmdet metrics and visualizers
  read ``classes``: whichever is missing is added.
- mmengine finds ``_base_ = 'PACKAGE::NAME.py'`` in packages that it knows and in their ``.mim``: it is
  told where the configs of mmrdn are, those of a checkout too.
- mmengine's test loops look at the last result of every batch, but a video detector that looks
  ahead has none for the first frames of a video: they are made to accept that.
"""

import contextlib
import importlib
import importlib.util
import io
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from packaging.version import Version

# Oldest and newest version of each module that mmrdn is known to work with.
TESTED_VERSIONS = dict(
    mmcv=('2.1.0', '2.3.6'), mmengine=('0.10.7', '0.10.12'), mmdet=('3.3.0', '3.5.1'), mmtrack=('1.0.0rc1', '1.0.0rc1')
)

# What mmtrack 1.0.0rc1 and mmcls 1.0.0rc6 assert at import.
_VERSIONS_THEY_ASK_FOR = dict(mmcv='2.0.0rc4', mmdet='3.0.0rc5')


class _RemovedTransformer:
    """Stands in for a class that mmdet removed."""

    def __init__(self, *args, **kwargs):
        raise RuntimeError(
            "mmdet.models.layers.Transformer was removed from mmdet; mmtrack's STARK needs mmdet 3.0.0rc5 or older"
        )


@contextlib.contextmanager
def _quiet():
    """Keep the import messages of other packages off the terminal.

    MMEngine creates a logger meanwhile, which is used until a runner has its own: its warnings go to
    stderr again afterwards.
    """
    silent = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(silent):
        warnings.simplefilter('ignore')
        yield
    from mmengine.logging import MMLogger

    for handler in MMLogger.get_current_instance().handlers:
        if getattr(handler, 'stream', None) is silent:
            handler.setStream(sys.stderr)
            handler.setLevel('WARNING')


def _provide_operators() -> None:
    """Put :mod:`mmrdn.ops.mmcv_ext` in the place of ``mmcv._ext`` where that is missing."""
    wanted = os.environ.get('MMRDN_OPS', '')
    if wanted not in ('', 'own'):
        raise ValueError(f'MMRDN_OPS must be "own" or not set, got {wanted!r}')
    if 'mmcv._ext' in sys.modules:
        if wanted and not getattr(sys.modules['mmcv._ext'], 'is_stand_in', False):
            raise ValueError('MMRDN_OPS=own needs mmrdn to be imported before mmcv.ops')
        return
    if wanted or importlib.util.find_spec('mmcv._ext') is None:
        sys.modules['mmcv._ext'] = importlib.import_module('mmrdn.ops.mmcv_ext')
        return
    importlib.import_module('torch')  # whose libraries it needs
    try:
        importlib.import_module('mmcv._ext')
    except ImportError as error:
        raise ImportError(
            f'the compiled operators of mmcv cannot be loaded ({error}): '
            'compile mmcv for this torch, or set MMRDN_OPS=own'
        ) from error


def _import_mmtrack() -> None:
    """Import mmtrack, mmcls and ``mmtrack.models`` whatever they assert."""
    with contextlib.ExitStack() as stack:
        for name, old in _VERSIONS_THEY_ASK_FOR.items():
            module = importlib.import_module(name)
            if Version(module.__version__) >= Version('2.0.0' if name == 'mmcv' else '3.0.0'):
                stack.enter_context(mock.patch.object(module, '__version__', old))
        importlib.import_module('mmcls')
        importlib.import_module('mmtrack')
    layers = importlib.import_module('mmdet.models.layers')
    if hasattr(layers, 'Transformer'):
        return
    with mock.patch.object(layers, 'Transformer', _RemovedTransformer, create=True):
        importlib.import_module('mmtrack.models')


def _mirror_class_names() -> None:
    """Give mmtrack datasets ``classes`` for ``CLASSES`` and vice versa."""
    from mmtrack.datasets import BaseVideoDataset

    original = BaseVideoDataset._load_metainfo
    if getattr(original, 'mirrors_class_names', False):
        return

    def mirrored(meta):
        pairs = (('classes', 'CLASSES'), ('CLASSES', 'classes'))
        return meta | {theirs: meta[ours] for ours, theirs in pairs if ours in meta and theirs not in meta}

    def _load_metainfo(cls, metainfo=None):
        return mirrored(original.__func__(cls, mirrored(dict(metainfo or {}))))

    _load_metainfo.mirrors_class_names = True
    BaseVideoDataset._load_metainfo = classmethod(_load_metainfo)


def _accept_late_results() -> None:
    """Let a test step return no result."""
    loops = importlib.import_module('mmengine.runner.loops')
    original = getattr(loops, '_update_losses', None)
    if original is None or getattr(original, 'accepts_late_results', False):
        return

    def _update_losses(outputs, losses):
        return original(outputs, losses) if outputs else (outputs, losses)

    _update_losses.accepts_late_results = True
    loops._update_losses = _update_losses


def package_roots() -> Iterator[Path]:
    """Yield the directories that hold ``configs`` and ``tools`` of mmrdn: of a checkout, of a wheel."""
    package = Path(__file__).resolve().parent
    for root in (package.parent, package / '.mim'):
        if (root / 'model-index.yml').is_file():
            yield root


def _find_own_configs() -> None:
    """Let configs of other directories have ``mmrdn::...`` as their base."""
    from mmengine.config import Config

    original = Config._get_cfg_path
    if getattr(original, 'finds_mmrdn', False):
        return

    def _get_cfg_path(cfg_path, filename):
        package, separator, name = cfg_path.partition('::')
        if package != 'mmrdn' or not separator:
            return original(cfg_path, filename)
        for root in package_roots():
            if (root / 'configs' / name).is_file():
                return str(root / 'configs' / name), package
        raise FileNotFoundError(f'{filename}: there is no {cfg_path}; bases of mmrdn are named like mmrdn::rdn/NAME.py')

    _get_cfg_path.finds_mmrdn = True
    Config._get_cfg_path = staticmethod(_get_cfg_path)


def check_versions() -> None:
    """Warn once, naming the versions, outside of :data:`TESTED_VERSIONS`."""
    for name, (low, high) in TESTED_VERSIONS.items():
        found = importlib.import_module(name).__version__
        if not Version(low) <= Version(found) <= Version(high):
            wanted = low if low == high else f'{low} to {high}'
            warnings.warn(f'mmrdn was tested with {name} {wanted}, not with {name} {found}')


def apply() -> None:
    """Make the installed versions work together (idempotent).

    Raises:
        ImportError: If one of the packages is missing; names it and the command that installs it.
    """
    try:
        with _quiet():
            _provide_operators()
            _import_mmtrack()
    except ModuleNotFoundError as error:
        if error.name and error.name.split('.')[0] in ('torch', 'mmcv', 'mmengine', 'mmdet', 'mmtrack', 'mmcls'):
            raise ImportError(
                f'mmrdn needs the module "{error.name}", which is not installed; `make setup` installs everything'
            ) from error
        raise
    _mirror_class_names()
    _accept_late_results()
    _find_own_configs()
    check_versions()
