# Copyright (c) mmrdn contributors. All rights reserved.
"""Put entries into ``configs/*/metafile.yml``, which mim and users read."""

import os
import warnings
from pathlib import Path
from typing import Any

from mmrdn.fileio.metafiles import read_models
from mmrdn.fileio.whole_file import whole_file
from mmrdn.fileio.yaml_files import read_yaml
from mmrdn.model_zoo.metafile_entry import find_root
from mmrdn.model_zoo.yaml_text import dump_yaml, load_yaml, merge, set_item


def update_metafile(
    entry: dict[str, Any], out: str | os.PathLike, collection: str | None = None, overwrite: bool = False
) -> None:
    """Put an entry into a metafile, whose other entries and comments stay.

    Args:
        entry (dict): Entry from :func:`make_entry`. Keys that it lacks stay in the file.
        out (str or Path): Path of the metafile, which is made if it does not exist.
        collection (str, optional): Collection of a new entry; the file's own if it has one.
        overwrite (bool): Whether to replace other results and weights.

    Raises:
        FileExistsError: The file has other results, or other weights.
        ValueError: The file cannot be changed, or the collection is not known.
    """
    out = Path(out)
    if out.exists():
        read_models(out)
        try:
            text = _updated(out.read_text(encoding='utf-8'), entry, collection, overwrite)
        except (FileExistsError, ValueError) as error:
            raise type(error)(f'{out}: {error}') from None
    elif collection is None:
        raise ValueError(f'{out} is new: say --collection')
    else:
        readme = out.resolve().with_name('README.md')
        known = dict(README=readme.relative_to(find_root(out)).as_posix()) if readme.is_file() else {}
        text = dump_yaml(dict(Collections=[dict(Name=collection, **known)])) + '\n'
        text += dump_yaml(dict(Models=[_in_collection(entry, collection)]))
    with whole_file(out) as file:
        file.write(text.encode())
    index = find_root(out) / 'model-index.yml'
    imported = read_yaml(index).get('Import') or []
    if not any(index.parent / path == out.resolve() for path in imported):
        warnings.warn(f'{index} does not import {out}')


def _in_collection(entry: dict[str, Any], collection: str) -> dict[str, Any]:
    """Return the entry with the name of its collection behind its own."""
    return {'Name': entry['Name'], 'In Collection': collection, **entry}


def _updated(text: str, entry: dict[str, Any], collection: str | None, overwrite: bool) -> str:
    """Return the text of a metafile with the entry."""
    file = load_yaml(text)
    models = file['Models']
    if not models:
        raise ValueError('no metafile: expected a list of Models')
    if dump_yaml(file) != text:
        warnings.warn('the metafile was reformatted: its spaces or line breaks differed from those written here')
    known = next((model for model in models if model['Name'] == entry['Name']), None)
    if known is None:
        names = [str(known['Name']) for known in file.get('Collections') or []]
        if collection is None and len(names) == 1:
            collection = names[0]
        if collection not in names:
            raise ValueError(f'--collection must be one of {names}, got {collection}')
        set_item(models, len(models), _in_collection(entry, collection))
        return dump_yaml(file)
    weights = known.get('Weights')
    if weights and entry.get('Weights', weights) != weights and not overwrite:
        raise FileExistsError(f'{known["Name"]} has weights, {weights}; say --overwrite to replace them')
    merge(known, {key: value for key, value in entry.items() if key != 'Results'})
    for result in entry.get('Results', []):
        _put_result(known, result, overwrite)
    return dump_yaml(file)


def _put_result(model: dict[str, Any], result: dict[str, Any], overwrite: bool) -> None:
    """Replace the metrics on the same data set, or add the result behind all.

    Raises:
        FileExistsError: The model has other metrics there, and ``overwrite`` is off.
    """
    results = model.get('Results')
    if not results:
        return set_item(model, 'Results', [result])
    same = [known for known in results if all(known[key] == result[key] for key in ('Task', 'Dataset'))]
    if not same:
        return set_item(results, len(results), result)
    if same[0]['Metrics'] != result['Metrics'] and not overwrite:
        raise FileExistsError(
            f'{model["Name"]} has results on {same[0]["Dataset"]}, {dict(same[0]["Metrics"])}; '
            f'say --overwrite to replace them by {result["Metrics"]}'
        )
    set_item(same[0], 'Metrics', result['Metrics'])
