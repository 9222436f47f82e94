# Copyright (c) mmrdn contributors. All rights reserved.
"""The one place for differences between the installed OpenMMLab versions.

mmtrack 1.0.0rc1, the newest version, was released for mmcv 2.0.0rc and mmdet 3.0.0rc.
:func:`apply` makes it work beside newer ones without editing a file of another package, and does
nothing where the versions agree already. It imports none of them, which takes seconds: each
difference is mended when the module that it is about is imported, whoever does that.

- mmtrack and mmcls assert old mmcv / mmdet versions when they are imported: they are imported with
  these versions in place.
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
- mmengine has yapf format the whole config, which takes most of a second, for each log, file and
  checkpoint: the text of a config that has not changed since is kept.
- What these packages say about themselves while they are imported stays off the terminal.
"""

import contextlib
import importlib
import importlib.util
import io
import os
import runpy
import sys
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from unittest import mock

from packaging.version import Version

from mmrdn.import_hooks import ImportHooks

# Oldest and newest version of each module that mmrdn is known to work with.
TESTED_VERSIONS = dict(
    mmcv=('2.1.0', '2.3.6'), mmengine=('0.10.7', '0.10.12'), mmdet=('3.3.0', '3.5.1'), mmtrack=('1.0.0rc1', '1.0.0rc1')
)

# Packages of OpenMMLab: those, and the one that mmtrack imports.
_PACKAGES = (*TESTED_VERSIONS, 'mmcls')

# What mmtrack 1.0.0rc1 and mmcls 1.0.0rc6 assert at import.
_VERSIONS_THEY_ASK_FOR = dict(mmcv='2.0.0rc4', mmdet='3.0.0rc5')


class _RemovedTransformer:
    """Stands in for a class that mmdet removed."""

    def __init__(self, *args, **kwargs):
        raise RuntimeError(
            "mmdet.models.layers.Transformer was removed from mmdet; mmtrack's STARK needs mmdet 3.0.0rc5 or older"
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the import messages of other packages off the terminal."""
    # Recorded, as torch 2.4 has a warning that no filter stops.
    with warnings.catch_warnings(record=True), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter('ignore')
        yield


@contextlib.contextmanager
def _old_versions() -> Iterator[None]:
    """Give mmcv and mmdet the versions that mmtrack and mmcls ask for."""
    with contextlib.ExitStack() as stack:
        for name, old in _VERSIONS_THEY_ASK_FOR.items():
            module = importlib.import_module(name)
            if Version(module.__version__) >= Version('2.0.0' if name == 'mmcv' else '3.0.0'):
                stack.enter_context(mock.patch.object(module, '__version__', old))
        yield


@contextlib.contextmanager
def _transformer() -> Iterator[None]:
    """Give mmdet's layers the class that it removed."""
    layers = importlib.import_module('mmdet.models.layers')
    if hasattr(layers, 'Transformer'):
        yield
    else:
        with mock.patch.object(layers, 'Transformer', _RemovedTransformer, create=True):
            yield


@contextlib.contextmanager
def _operators() -> Iterator[None]:
    """Put :mod:`mmrdn.ops.mmcv_ext` in the place of ``mmcv._ext`` where that is missing or not wanted."""
    if 'mmcv._ext' not in sys.modules:
        if _own_operators_wanted() or importlib.util.find_spec('mmcv._ext') is None:
            sys.modules['mmcv._ext'] = importlib.import_module('mmrdn.ops.mmcv_ext')
        else:
            _load_compiled_operators()
    yield


def _load_compiled_operators() -> None:
    importlib.import_module('torch')  # whose libraries they need
    try:
        importlib.import_module('mmcv._ext')
    except ImportError as error:
        raise ImportError(
            f'the compiled operators of mmcv cannot be loaded ({error}): '
            'compile mmcv for this torch, or set MMRDN_OPS=own'
        ) from error


def _own_operators_wanted() -> bool:
    """Return whether MMRDN_OPS asks for our operators; ValueError where it asks for something else."""
    wanted = os.environ.get('MMRDN_OPS', '')
    if wanted not in ('', 'own'):
        raise ValueError(f'MMRDN_OPS must be "own" or not set, got {wanted!r}')
    return bool(wanted)


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


def _warn_on_stderr() -> None:
    """Send to stderr what is logged before a runner has its own logger: warnings, but none of an import."""
    from mmengine.logging import MMLogger

    if not MMLogger._instance_dict:
        for handler in MMLogger.get_current_instance().handlers:
            handler.setStream(sys.stderr)
            handler.setLevel('WARNING')
            handler.addFilter(lambda record: not _hooks.depth)


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


def _format_configs_once() -> None:
    """Keep the formatted texts of the last few configs."""
    from mmengine.config import Config

    format_config, texts = Config.pretty_text.fget, {}

    def pretty_text(self):
        key = f'{self._format_python_code} {self.to_dict()}'
        texts[key] = texts.pop(key, None) or format_config(self)
        if len(texts) > 8:
            del texts[next(iter(texts))]
        return texts[key]

    Config.pretty_text = property(pretty_text)


_hooks = ImportHooks(_PACKAGES)


def import_beside(name: str, ours: str) -> None:
    """Import a module of ours as soon as a module of OpenMMLab is imported.

    Args:
        name (str): Module of OpenMMLab, such as ``mmengine`` or ``mmengine.runner``.
        ours (str): Module of mmrdn that changes it. It may import the other itself.
    """
    _hooks.when_imported(name, partial(importlib.import_module, ours))


def installed_version(name: str) -> str:
    """Return the version of a package of OpenMMLab without importing it.

    Raises:
        ImportError: If it is missing; names it and the command that installs it.
    """
    return runpy.run_path(str(_directory(name) / 'version.py'))['__version__']


def _directory(name: str) -> Path:
    """Return where a package is installed, without importing it."""
    spec = importlib.util.find_spec(name)
    if spec is None:
        raise ImportError(f'mmrdn needs the module "{name}", which is not installed; `make setup` installs everything')
    return Path(spec.origin).parent


def check_versions() -> None:
    """Warn once, naming the versions, outside of :data:`TESTED_VERSIONS`."""
    for name, (low, high) in TESTED_VERSIONS.items():
        found = installed_version(name)
        if not Version(low) <= Version(found) <= Version(high):
            wanted = low if low == high else f'{low} to {high}'
            warnings.warn(f'mmrdn was tested with {name} {wanted}, not with {name} {found}')


def apply() -> None:
    """Make the installed versions work together from now on (idempotent).

    Raises:
        ImportError: If one of the packages is missing; names it and the command that installs it.
    """
    if _hooks in sys.meta_path:
        return
    present = sys.modules.get('mmcv._ext')
    if _own_operators_wanted() and present is not None and not getattr(present, 'is_stand_in', False):
        raise ValueError('MMRDN_OPS=own needs mmrdn to be imported before mmcv.ops')
    for name in ('torch', *_PACKAGES):
        _directory(name)
    sys.meta_path.insert(0, _hooks)
    _hooks.always = _quiet
    _hooks.around |= {
        'mmcv.ops': _operators,
        'mmcls': _old_versions,
        'mmtrack': _old_versions,
        'mmtrack.models': _transformer,
    }
    _hooks.when_imported('mmengine', _find_own_configs)
    _hooks.when_imported('mmengine', _format_configs_once)
    _hooks.when_imported('mmengine', _warn_on_stderr)
    _hooks.when_imported('mmengine.runner', _accept_late_results)
    _hooks.when_imported('mmtrack.datasets', _mirror_class_names)
    check_versions()
