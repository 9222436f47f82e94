# Copyright (c) mmrdn contributors. All rights reserved.
"""Checkpoints are read as data: nothing of an untrusted file is run, see ``torch_file.py``.

A published checkpoint holds tensors and plain values. A training checkpoint holds MMEngine's
message hub besides (``HistoryBuffer`` objects and numpy arrays) and the annealing function of a
one-cycle scheduler. Anything else would have to be unpickled, which runs code of whoever wrote the
file, and is refused unless the user says otherwise.
"""

import os
import os.path as osp
import re
import tempfile
from collections.abc import Callable
from typing import IO, Any

import torch
import torch.nn as nn
from mmengine.dist import barrier, get_dist_info
from mmengine.runner import checkpoint as mmengine_checkpoint
from torch import Tensor

from mmrdn.fileio.checkpoint_checks import check_checkpoint, check_plain
from mmrdn.fileio.download import cache_name, fetch, file_hash, named_hash, shown_url
from mmrdn.fileio.torch_file import TorchFile
from mmrdn.utils.text import shown


def load_checkpoint_file(
    filename: str | os.PathLike | IO, map_location: str | Callable | None = None, trust_checkpoint: bool = False
) -> dict:
    """Read a checkpoint file without running anything that it holds.

    Args:
        filename (str or IO): Path of a local file, or a file open for reading.
        map_location (str or callable, optional): As in ``torch.load``.
        trust_checkpoint (bool): Unpickle whatever the file holds.

    Returns:
        dict: The checkpoint.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is truncated or no checkpoint, differs from the hash in its name
            (``name-1a2b3c4d.pth``), or holds objects that would have to be unpickled.
    """
    if hasattr(filename, 'read'):
        with tempfile.NamedTemporaryFile(suffix='.pth') as file:
            file.write(filename.read())
            file.flush()
            return load_checkpoint_file(file.name, map_location, trust_checkpoint)
    filename = osp.expanduser(str(filename))
    if not osp.isfile(filename):
        raise FileNotFoundError(f'checkpoint {shown_url(filename)} does not exist')
    if osp.getsize(filename) == 0:
        raise ValueError(f'checkpoint {filename} is empty')
    _check_named_hash(filename)
    if not _is_pickle(filename):
        raise ValueError(f'{filename} is not a checkpoint: expected a file written by torch.save')
    try:
        if trust_checkpoint:
            checkpoint = torch.load(filename, map_location=map_location, weights_only=False)
        else:
            checkpoint = TorchFile(filename, map_location).read()
    except Exception as error:  # torch may raise anything for a damaged file
        reason = str(error).strip() or type(error).__name__
        raise ValueError(f'checkpoint {filename} is truncated or damaged ({shown(reason.splitlines()[0])})') from error
    try:
        if not trust_checkpoint:
            check_plain(checkpoint)
        check_checkpoint(checkpoint)
    except ValueError as error:
        message = f'checkpoint {filename}: {error}'
        raise ValueError(message.replace(': it ', ' ', 1)) from None
    return checkpoint


def _check_named_hash(filename: str) -> None:
    """Compare a published file with the hash in its name."""
    wanted = named_hash(filename)
    if wanted is None:
        return
    found = file_hash(filename)[:8]
    if found != wanted:
        raise ValueError(
            f'checkpoint {filename} is damaged or was changed: its SHA-256 '
            f'starts with {found}, expected {wanted} as in its name (if that '
            'is no hash, rename the file)'
        )


def _is_pickle(filename: str) -> bool:
    """Return whether ``torch.save`` or ``pickle`` could have written a file."""
    with open(filename, 'rb') as file:
        head = file.read(4)
    return head.startswith(b'PK') or head.startswith(b'\x80')


def local_checkpoint(url: str, model_dir: str | None = None) -> str:
    """Return a path as it is; fetch a checkpoint of an http(s) URL unless the cache has it.

    Args:
        url (str): Path or URL.
        model_dir (str, optional): Directory of the cache; that of torch if not given.

    Returns:
        str: Path.
    """
    if not re.match('https?://', url.lstrip(), re.IGNORECASE):
        return url
    url = url.strip()
    _, world_size = get_dist_info()
    cache = model_dir or osp.join(torch.hub.get_dir(), 'checkpoints')
    target = osp.join(cache, cache_name(url))
    # Once a machine: another one may have another disk.
    if os.environ.get('LOCAL_RANK', '0') == '0' and not osp.exists(target):
        fetch(url, target)
    if world_size > 1:
        barrier()
    return target


def read_checkpoint(
    checkpoint: str | os.PathLike, map_location: str | Callable | None = None, trust_checkpoint: bool = False
) -> dict:
    """Read a checkpoint as :func:`load_checkpoint_file` does, also one at an http(s) URL."""
    return load_checkpoint_file(local_checkpoint(str(checkpoint)), map_location, trust_checkpoint)


class _TorchWith:
    """``torch`` with another ``load``, for one module that calls it."""

    def __init__(self, load: Callable) -> None:
        self.load = load

    def __getattr__(self, name: str):
        return getattr(torch, name)


def install_safe_loading(trust_checkpoint: bool = False) -> None:
    """Make every checkpoint that MMEngine loads go through this module, as importing it does.

    Args:
        trust_checkpoint (bool): Unpickle whatever a file holds, from now on.
    """

    def load_from_local(filename, map_location=None, **kwargs):
        checkpoint = load_checkpoint_file(filename, map_location, trust_checkpoint)
        return checkpoint if trust_checkpoint else _disarmed(checkpoint, str(filename))

    def load_from_http(filename, map_location=None, model_dir=None, progress=False):
        return load_from_local(local_checkpoint(filename, model_dir), map_location)

    loader = mmengine_checkpoint.CheckpointLoader
    loader.register_scheme('', load_from_local, force=True)
    loader.register_scheme(('http://', 'https://'), load_from_http, force=True)
    # The other schemes (torchvision://, open-mmlab://) call these by name.
    mmengine_checkpoint.load_from_http = load_from_http
    # Files that other schemes have downloaded, and streams from object stores: the fork calls the
    # first for them, the original MMEngine torch.load.
    mmengine_checkpoint._safe_torch_load = load_from_local
    mmengine_checkpoint.torch = _TorchWith(load_from_local)


def _disarmed(checkpoint: dict, filename: str) -> dict:
    """Return a checkpoint without what MMEngine would run as Python or delete.

    Its runners run ``meta.config``, its inferencers ``runtime_info.cfg`` and ``meta.cfg``. At the next
    better score they remove the file ``runtime_info.best_ckpt``, so this name is kept only if it may be
    a best checkpoint beside this one.
    """
    for name in ('cfg', 'config'):
        checkpoint.get('meta', {}).pop(name, None)
    hub = checkpoint.get('message_hub')
    info = hub.get('runtime_info') if isinstance(hub, dict) else None
    if not isinstance(info, dict):
        return checkpoint
    info.pop('cfg', None)
    for name in [name for name in info if re.match('best_ckpt($|_)', str(name))]:
        best = osp.join(osp.dirname(osp.abspath(filename)), osp.basename(str(info[name])))
        if osp.basename(best).startswith('best_') and osp.isfile(best):
            info[name] = best
        else:
            del info[name]
    return checkpoint


def state_dict_of(checkpoint: dict) -> dict[str, Any]:
    """Return the tensors of a checkpoint by name, without the prefix of data parallel wrappers.

    Args:
        checkpoint (dict): A checkpoint with a ``state_dict``, or a state dict itself.
    """
    given = checkpoint.get('state_dict', checkpoint)
    return {key[len('module.') :] if key.startswith('module.') else key: value for key, value in given.items()}


def fitting_keys(model: nn.Module, checkpoint: dict) -> list[str]:
    """Return the names of a model's entries that a checkpoint has in the same shape.

    Args:
        model (nn.Module): The model to fill.
        checkpoint (dict): See :func:`state_dict_of`.
    """
    given = state_dict_of(checkpoint)
    return [
        key
        for key, value in model.state_dict().items()
        if isinstance(given.get(key), Tensor) and given[key].shape == value.shape
    ]


def check_state_dict(model: nn.Module, checkpoint: dict, partial: bool = False) -> None:
    """Raise ValueError unless a checkpoint fits a model.

    Args:
        model (nn.Module): The model to fill.
        checkpoint (dict): See :func:`state_dict_of`.
        partial (bool): Whether it is enough that a part of the model is filled.
    """
    given, wanted = state_dict_of(checkpoint), model.state_dict()
    fitting = fitting_keys(model, checkpoint)
    fits = set(fitting)
    reshaped = [key for key in wanted if key in given and key not in fits]
    missing = [key for key in wanted if key not in given]
    unexpected = [key for key in given if key not in wanted]
    reason = None
    if not fitting:
        expected = f', expected {missing[0]}' if missing else ''
        reason = f'none of its {len(given)} entries fits {type(model).__name__}{expected}'
    elif partial:
        pass
    elif reshaped:
        key = reshaped[0]
        reason = (
            f'{key} is {_shape(given[key])}, expected {tuple(wanted[key].shape)} '
            f'(shapes of {len(reshaped)} entries differ)'
        )
    elif unexpected:
        reason = f'the model lacks {len(unexpected)} of its {len(given)} entries, the first is {unexpected[0]}'
    elif missing:
        reason = f'it lacks {len(missing)} of {len(wanted)} entries, the first is {missing[0]}'
    if reason:
        raise ValueError(f'the checkpoint is of another model: {reason}')
    check_finite({key: given[key] for key in fitting})


def _shape(value: Any) -> tuple[int, ...] | str:
    return tuple(value.shape) if isinstance(value, Tensor) else f'a {type(value).__name__}'


def check_finite(tensors: dict[str, torch.Tensor]) -> None:
    """Raise ValueError if one of the named tensors holds NaN or infinity."""
    for key, value in tensors.items():
        if not torch.isfinite(value).all():
            raise ValueError(f'{key} of the checkpoint holds NaN or infinite numbers')


install_safe_loading()
