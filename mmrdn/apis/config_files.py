# Copyright (c) mmrdn contributors. All rights reserved.
"""Config files: found by name, read, and checked."""

import difflib
import os.path as osp
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config

from mmrdn.compat import package_roots
from mmrdn.fileio.metafiles import read_models

# Keys at the top of a config that MMEngine's runner or a command of ours reads.
_KNOWN_KEYS = frozenset(
    'activation_checkpointing auto_scale_lr compile custom_hooks custom_imports data_preprocessor default_hooks '
    'default_scope efficient_conv_bn_eval env_cfg experiment_name find_unused_parameters '
    'init_weights_for_test_or_val launcher load_from log_level log_processor model model_wrapper_cfg '
    'optim_wrapper param_scheduler randomness resume runner_type strategy sync_bn test_cfg test_dataloader '
    'test_evaluator train_cfg train_dataloader val_cfg val_dataloader val_evaluator visualizer work_dir'.split()
)
# Keys that a config needs for a training, for a test.
TRAIN_KEYS = ('train_cfg', 'train_dataloader', 'optim_wrapper')
TEST_KEYS = ('test_cfg', 'test_dataloader', 'test_evaluator')


class ZooModel(NamedTuple):
    """Config and weights of a model."""

    config: str  # path
    weights: str | None  # path or URL, None if there are none


def find_model(name: str) -> ZooModel:
    """Find a config, and the weights that were published for it.

    Args:
        name (str): Path of a config; or, with or without ``.py``, the name of a config of the
            package (``rdn/NAME`` or ``NAME``) or of an entry of the model zoo
            (``configs/*/metafile.yml``).

    Returns:
        ZooModel: Weights are those of the entry; a path there is relative to the directory of
        ``model-index.yml``. A config that is given by its path has none.

    Raises:
        FileNotFoundError: There is nothing of this name.
    """
    name = str(name)
    if osp.isfile(name):
        return ZooModel(name, None)
    wanted = name.removesuffix('.py').removeprefix('configs/')
    names: list[str] = []
    for root in package_roots():
        for metafile in sorted(root.glob('configs/*/metafile.yml')):
            for model in read_models(metafile, ('Name', 'Config')):
                config, weights = Path(model['Config']), model.get('Weights')
                path = Path(*config.parts[1:]).with_suffix('')  # below configs
                if wanted in (model['Name'], path.as_posix(), path.name):
                    if weights is not None and not re.match('[a-z][a-z-]*://', weights):
                        weights = str(root / weights)
                    return ZooModel(str(root / config), weights)
                names.append(model['Name'])
    close = difflib.get_close_matches(wanted.rsplit('/', 1)[-1], names, 1)
    hint = f', did you mean {close[0]}?' if close else ''
    raise FileNotFoundError(f'config {name} does not exist, and no config of the package has that name{hint}')


def find_tool(name: str) -> str:
    """Return the path of a tool of the package, such as ``train.py``."""
    for root in package_roots():
        path = root / 'tools' / name
        if path.is_file():
            return str(path)
    raise FileNotFoundError(f'mmrdn is installed without tools/{name}')


def load_config(
    filename: str,
    options: dict | None = None,
    work_dir: str | None = None,
    launcher: str = 'none',
    needs: Sequence[str] = (),
) -> Config:
    """Read a config and merge the changes of the command line.

    Args:
        filename (str): Path of the config, or its name as in :func:`find_model`.
        options (dict, optional): Values of ``--cfg-options``.
        work_dir (str, optional): Directory of logs and checkpoints; the config's own or
            ``work_dirs/<name of the config>`` if not given.
        launcher (str): ``none``, ``pytorch``, ``slurm`` or ``mpi``.
        needs (Sequence[str]): Keys that must be in the config beside ``model``.

    Returns:
        Config: The merged config.

    Raises:
        FileNotFoundError: There is no such config.
        ValueError: It cannot be read, or lacks a key.
    """
    filename = find_model(filename).config
    cfg = _read_config(filename)
    if options:
        try:
            cfg.merge_from_dict(options)
        except AttributeError:  # MMEngine's, of a list or text where the config has a dict
            given = ' '.join(f'{key}={value}' for key, value in options.items())
            raise ValueError(
                f'--cfg-options {given}: the config has a dict there, expected one '
                '(in a shell in single quotes, or it loses the quotes within: \'key={"type": ...}\')'
            ) from None
    check_keys(cfg, needs, f'config {filename}')
    unread = ', '.join(f'"{key}"' for key in unread_keys(cfg))
    if unread:
        warnings.warn(f'config {filename}: nothing reads {unread} at its top')
    cfg.launcher = launcher
    stem = osp.splitext(osp.basename(filename))[0]
    cfg.work_dir = work_dir or cfg.get('work_dir') or osp.join('work_dirs', stem)
    cfg.setdefault('experiment_name', stem)
    return cfg


def check_keys(cfg: Config, needs: Sequence[str], name: str) -> None:
    """Raise ValueError unless a config has ``model`` and the keys that are needed."""
    for key in ('model', *needs):
        if cfg.get(key) is None:
            raise ValueError(f'{name} has no "{key}"')


def _read_config(filename: str) -> Config:
    """Read a config that will be dumped as ``config.py``.

    MMEngine dumps it into the work directory under its own name otherwise, and then mim, which
    looks for configs everywhere below the checkout of an editable install, finds two of that name.
    """
    try:
        cfg = Config.fromfile(filename)
    except SyntaxError as error:
        if error.lineno is None and isinstance(error.__context__, SyntaxError):
            error = error.__context__  # MMEngine raises a new one
        raise ValueError(f'config {filename}: line {error.lineno}: {error.msg}') from error
    except Exception as error:  # a config is Python: it may raise anything
        kind = '' if isinstance(error, OSError) else f'{type(error).__name__}: '  # a missing base names itself
        raise ValueError(f'config {filename}: {kind}{error}') from error
    # Building another Config would lose what a lazily imported one knows.
    object.__setattr__(cfg, '_filename', 'config.py')
    return cfg


def unread_keys(cfg: Config) -> list[str]:
    """Return the top-level names that neither a runner nor the config itself reads."""
    text = re.sub(r'#.*', '', cfg.text)
    unread = []
    for key in cfg:
        if key in _KNOWN_KEYS:
            continue
        name = re.escape(key)
        assigned = len(re.findall(rf'^{name}\s*=', text, re.M))
        if len(re.findall(rf'\b{name}\b', text)) <= assigned:
            unread.append(key)
    return unread
