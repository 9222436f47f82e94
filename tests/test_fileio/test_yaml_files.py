# Copyright (c) mmrdn contributors. All rights reserved.
import pytest

from mmrdn.fileio.metafiles import read_models
from mmrdn.fileio.yaml_files import read_yaml


@pytest.mark.parametrize(
    'text',
    ['[' * 5000, '{a: ' * 3000, '!!int ""', '!!bool x', '2001-99-99', '!!python/object/apply:os.system [ls]', '\0', '[']
    + ['!!timestamp x', '? [a]\n: b', '\xff'],
)
def test_what_is_no_yaml_names_its_file(text, tmp_path):
    path = tmp_path / 'a.yml'
    path.write_bytes(text.encode('latin1'))
    with pytest.raises(ValueError) as error:
        read_yaml(path)
    assert str(error.value).startswith(f'{path}: no YAML, ') and '\n' not in str(error.value)


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
