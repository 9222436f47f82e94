# Copyright (c) mmrdn contributors. All rights reserved.
import pytest
import yaml

from mmrdn.model_zoo.yaml_text import YamlText, dump_yaml

TEXT = """\
# What this is.
Collections:
  - Name: A  # the only one
    README: a.md

# Measured ones only.
Models:
  # the first
  - Name: one
    Metadata:
      # GPUs x images
      Batch Size: 4  # images
      Training Data:
        - VID
        - DET   # stills
    Weights:
    # end of one

  - Name: two
    Metadata: {Batch Size: 8}
"""


@pytest.mark.parametrize(
    'path, value, old, new',
    [
        (('Models', 0, 'Metadata', 'Batch Size'), 8, 'Batch Size: 4  # images', 'Batch Size: 8  # images'),
        (('Models', 0, 'Metadata', 'FLOPs'), 12, '- DET   # stills\n', '- DET   # stills\n      FLOPs: 12\n'),
        (('Models', 0, 'Weights'), 'http://a/b.pth', 'Weights:\n', 'Weights: http://a/b.pth\n'),
        (
            ('Models', 0, 'Metadata', 'Training Data', 2),
            'digits',
            '- DET   # stills\n',
            '- DET   # stills\n        - digits\n',
        ),
        (('Models', 0, 'Metadata', 'Training Data', 0), 'digits', '- VID\n', '- digits\n'),
        (
            ('Models', 0, 'Results'),
            [dict(Task='x', Metrics=dict(m=1.5))],
            'Weights:\n',
            'Weights:\n    Results:\n      - Task: x\n        Metrics:\n          m: 1.5\n',
        ),
        (
            ('Models', 2),
            dict(Name='three', Metadata=dict(a=1)),
            '{Batch Size: 8}\n',
            '{Batch Size: 8}\n\n  - Name: three\n    Metadata:\n      a: 1\n',
        ),
        (('Models', 1), dict(Name='2'), 'Name: two\n    Metadata: {Batch Size: 8}\n', "Name: '2'\n"),
        (('Collections', 0, 'Name'), 'B: b', 'Name: A  #', "Name: 'B: b'  #"),
    ],
)
def test_only_one_place_changes(path, value, old, new):
    file = YamlText(TEXT)
    assert TEXT.count(old) == 1
    file.set(path, value)
    assert file.text == TEXT.replace(old, new)
    assert file.data == yaml.safe_load(file.text)
    assert file.get(path) == value


def test_without_a_line_end():
    file = YamlText('a:\n  - x: 1')
    file.set(['a', 1], dict(x=2))
    assert file.text == 'a:\n  - x: 1\n  - x: 2'


def test_what_is_so_already_is_not_written_anew():
    text = "a: 'x'  # quoted\nb: [1,   2]\n"
    file = YamlText(text)
    file.set(['a'], 'x')
    file.set(['b'], [1, 2])
    assert file.text == text


def test_merge_goes_down():
    file = YamlText(TEXT)
    file.merge(['Models', 0], dict(Metadata={'Batch Size': 1, 'FLOPs': 2}, Weights='w'))
    wanted = yaml.safe_load(TEXT)
    wanted['Models'][0]['Metadata'].update({'Batch Size': 1, 'FLOPs': 2})
    wanted['Models'][0]['Weights'] = 'w'
    assert yaml.safe_load(file.text) == wanted
    for comment in ('# GPUs x images\n', '1  # images\n', '# stills\n', '    # end of one\n\n  - Name: two'):
        assert comment in file.text


@pytest.mark.parametrize(
    'text, path, message',
    [
        (
            TEXT,
            ('Models', 1, 'Metadata', 'Batch Size'),
            'Models.1.Metadata.Batch Size is in braces or brackets, expected a line for each value',
        ),
        ('a: &x 1\nb: *x\n', ('b',), 'a YAML file with aliases cannot be changed'),
    ],
)
def test_what_cannot_be_changed(text, path, message):
    with pytest.raises(ValueError) as error:
        YamlText(text).set(path, 3)
    assert str(error.value) == message


def test_no_yaml():
    with pytest.raises(ValueError, match='^no YAML: '):
        YamlText('a: [1')


def test_dump_keeps_order_and_long_lines():
    data = dict(b='x ' * 100 + 'y', a=[dict(d=1, c=['é'])])
    text = dump_yaml(data)
    assert text == f'b: {data["b"]}\na:\n  - d: 1\n    c:\n      - é\n'
