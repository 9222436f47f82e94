# Copyright (c) mmrdn contributors. All rights reserved.
import pytest

from mmrdn.fileio.metafiles import read_models
from mmrdn.fileio.yaml_files import read_yaml


@pytest.mark.parametrize(
    'text',
    [
        pytest.param('[' * 5000, marks=pytest.mark.slow),
        '{a: ' * 3000,
        '!!int ""',
        '!!bool x',
        '2001-99-99',
        '!!python/object/apply:os.system [ls]',
        '\0',
        '[',
    ]
    + ['[&a [1], *a]', 'a: &a {b: 1}\nc: {<<: *a}', '&a [*a]']
    + ['!!timestamp x', '? [a]\n: b', '\xff'],
)
def test_what_is_no_yaml_names_its_file(text, tmp_path):
    path = tmp_path / 'a.yml'
    path.write_bytes(text.encode('latin1'))
    with pytest.raises(ValueError) as error:
        read_yaml(path)
    assert str(error.value).startswith(f'{path}: no YAML, ') and '\n' not in str(error.value)


def test_aliases_of_scalars_and_merges_that_are_written_out(tmp_path):
    (tmp_path / 'a.yml').write_text('a: &a text\nb: *a\nc: {<<: {d: 1}, e: 2}')
    assert read_yaml(tmp_path / 'a.yml') == dict(a='text', b='text', c=dict(d=1, e=2))


def test_mappings_merged_into_one_another(tmp_path):
    """Nine levels of nine: 9**8 entries from 500 bytes."""
    levels = [f'a{i}: &a{i} {{<<: [{", ".join([f"*a{i - 1}"] * 9)}]}}' for i in range(1, 9)]
    (tmp_path / 'a.yml').write_text('\n'.join(['a0: &a0 {k: v}', *levels]))
    with pytest.raises(ValueError, match='is repeated by an alias'):
        read_yaml(tmp_path / 'a.yml')


@pytest.mark.parametrize(
    'text, message',
    [
        ('- 1', " must have the field 'Models'"),
        ('Models: 3', ": 'Models' must be a list, got int"),
        ('Models: [one]', ': Models[0] must be an object, got one'),
        ('Models: [{Name: 7}]', ": Models[0]: 'Name' must be a string, got 7"),
        ('Models: [{Name: a, Weights: [b]}]', ": Models[0]: 'Weights' must be a string, got ['b']"),
        ('Models: [{Name: a, Results: [{Task: t}]}]', ": Models[0]: Results[0] must have the field 'Dataset'"),
        ('Models: [{Name: a}]\nCollections: [b]', ': Collections[0] must be an object, got b'),
    ],
)
def test_models_are_checked(text, message, tmp_path):
    path = tmp_path / 'metafile.yml'
    path.write_text('Models: [{Name: a, Config: b}]')
    assert read_models(path, ('Name', 'Config')) == [dict(Name='a', Config='b')]
    path.write_text(text)
    with pytest.raises(ValueError) as error:
        read_models(path)
    assert str(error.value) == f'{path}{message}'
