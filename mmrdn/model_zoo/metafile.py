# Copyright (c) mmrdn contributors. All rights reserved.
"""Put entries into ``configs/*/metafile.yml``, which mim and users read."""

import os
import warnings
from pathlib import Path
from typing import Any

import yaml

from mmrdn.fileio.whole_file import whole_file
from mmrdn.model_zoo.metafile_entry import find_root
from mmrdn.model_zoo.yaml_text import YamlText, dump_yaml


def update_metafile(
    entry: dict[str, Any], out: str | os.PathLike, collection: str | None = None, overwrite: bool = False
) -> None:
    """Put an entry into a metafile, in whose text nothing else changes.

    Args:
        entry (dict): From :func:`make_entry`. What it lacks stays.
        out (str or Path): The metafile; a new one if it does not exist.
        collection (str, optional): Of a new entry; the file's if it has one.
        overwrite (bool): Whether to replace other results and weights.

    Raises:
        FileExistsError: The file has other results, or other weights.
        ValueError: It cannot be changed, or the collection is not known.
    """
    out = Path(out)
    if not out.exists():
        if collection is None:
            raise ValueError(f'{out} is new: say --collection')
        entry = _in_collection(entry, collection)
        text = dump_yaml(dict(Collections=[_new_collection(collection, out)])) + '\n'
        text += dump_yaml(dict(Models=[entry]))
    else:
        try:
            text = _updated(YamlText(out.read_text(encoding='utf-8')), entry, collection, overwrite)
        except (FileExistsError, ValueError) as error:
            raise type(error)(f'{out}: {error}') from None
    with whole_file(out) as file:
        file.write(text.encode())
    index = find_root(out) / 'model-index.yml'
    named = yaml.safe_load(index.read_text()).get('Import') or []
    if not any(index.parent / path == out.resolve() for path in named):
        warnings.warn(f'{index} does not import {out}')


def _in_collection(entry: dict[str, Any], collection: str) -> dict[str, Any]:
    """The entry with the name of its collection behind its own."""
    return {'Name': entry['Name'], 'In Collection': collection, **entry}


def _new_collection(name: str, out: Path) -> dict[str, Any]:
    readme = out.resolve().with_name('README.md')
    known = dict(Name=name)
    if readme.is_file():
        known['README'] = readme.relative_to(find_root(out)).as_posix()
    return known


def _updated(file: YamlText, entry: dict[str, Any], collection: str | None, overwrite: bool) -> str:
    """The text with the entry."""
    models = file.get(['Models'])
    if not isinstance(models, list) or not models:
        raise ValueError('no metafile: expected a list of Models')
    places = [i for i, model in enumerate(models) if model['Name'] == entry['Name']]
    if not places:
        names = [c['Name'] for c in file.get(['Collections']) or []]
        if collection is None and len(names) == 1:
            collection = names[0]
        if collection not in names:
            raise ValueError(f'--collection must be one of {names}, got {collection}')
        file.set(['Models', len(models)], _in_collection(entry, collection))
        return file.text
    path = ['Models', places[0]]
    if not overwrite:
        _check_replaced(models[places[0]], entry)
    entry = dict(entry)
    for result in entry.pop('Results', []):
        _put_result(file, path, result)
    file.merge(path, entry)
    return file.text


def _check_replaced(old: dict[str, Any], new: dict[str, Any]) -> None:
    """Refuse to lose what somebody measured."""
    for result in new.get('Results', []):
        for known in old.get('Results') or []:
            if _same_data(known, result) and known['Metrics'] != result['Metrics']:
                raise FileExistsError(
                    f'{old["Name"]} has results on {known["Dataset"]}, '
                    f'{known["Metrics"]}; say --overwrite to replace them by '
                    f'{result["Metrics"]}'
                )
    weights = old.get('Weights')
    if weights and new.get('Weights', weights) != weights:
        raise FileExistsError(f'{old["Name"]} has weights, {weights}; say --overwrite to replace them')


def _same_data(first: dict[str, Any], second: dict[str, Any]) -> bool:
    return all(first[key] == second[key] for key in ('Task', 'Dataset'))


def _put_result(file: YamlText, path: list, result: dict[str, Any]) -> None:
    """Put a result in the place of that on the same data, or behind all."""
    known = file.get([*path, 'Results'])
    if not known:
        file.set([*path, 'Results'], [result])
        return
    for i, old in enumerate(known):
        if _same_data(old, result):
            file.set([*path, 'Results', i, 'Metrics'], result['Metrics'])
            return
    file.set([*path, 'Results', len(known)], result)
