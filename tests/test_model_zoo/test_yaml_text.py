# Copyright (c) mmrdn contributors. All rights reserved.
import pytest
import yaml

from mmrdn.model_zoo.yaml_text import dump_yaml, load_yaml, merge, set_item

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


def change(text, path, value):
    """Set what is at a path of keys and indices."""
    data = owner = load_yaml(text)
    for part in path[:-1]:
        owner = owner[part]
    set_item(owner, path[-1], value)
    assert owner[path[-1]] == value
    return dump_yaml(data)


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
        (('Models', 1, 'Metadata', 'Batch Size'), 3, '{Batch Size: 8}', '{Batch Size: 3}'),
        (('Models', 1), dict(Name='2'), 'Name: two\n    Metadata: {Batch Size: 8}\n', "Name: '2'\n"),
        (('Collections', 0, 'Name'), 'B: b', 'Name: A  #', "Name: 'B: b' #"),
    ],
)
def test_only_one_place_changes(path, value, old, new):
    assert TEXT.count(old) == 1
    assert change(TEXT, path, value) == TEXT.replace(old, new)


def test_without_a_line_end():
    assert change('a:\n  - x: 1', ['a', 1], dict(x=2)) == 'a:\n  - x: 1\n  - x: 2\n'


def test_equal_values_are_not_rewritten():
    text = "a: 'x'  # quoted\nb: [1, 2]\n"
    assert change(text, ['a'], 'x') == text
    assert change(text, ['b'], [1, 2]) == text


def test_text_after_an_item_stays_after_it():
    """An item is replaced, or gets another one behind it."""
    text = 'a:\n  x: 1  # one\n\n# of b\nb: 2\n# the end\n'
    assert change(text, ['a'], dict(y=[3, 4])) == 'a:\n  y:\n    - 3\n    - 4\n\n# of b\nb: 2\n# the end\n'
    assert change(text, ['a', 'y'], 3) == 'a:\n  x: 1  # one\n  y: 3\n\n# of b\nb: 2\n# the end\n'
    assert change(text, ['c'], [dict(d=1)]) == 'a:\n  x: 1  # one\n\n# of b\nb: 2\nc:\n  - d: 1\n# the end\n'


def test_merge_reaches_nested_entries():
    data = load_yaml(TEXT)
    merge(data['Models'][0], dict(Metadata={'Batch Size': 1, 'FLOPs': 2}, Weights='w'))
    wanted = yaml.safe_load(TEXT)
    wanted['Models'][0]['Metadata'].update({'Batch Size': 1, 'FLOPs': 2})
    wanted['Models'][0]['Weights'] = 'w'
    text = dump_yaml(data)
    assert yaml.safe_load(text) == wanted
    for comment in ('# GPUs x images\n', '1  # images\n', '# stills\n', '    # end of one\n\n  - Name: two'):
        assert comment in text


@pytest.mark.parametrize(
    'text, message', [('a: &x 1\nb: *x\n', '^a YAML file with aliases cannot be changed$'), ('a: [1', '^no YAML: ')]
)
def test_what_cannot_be_changed(text, message):
    with pytest.raises(ValueError, match=message):
        load_yaml(text)


def test_dump_keeps_order_and_long_lines():
    data = dict(b='x ' * 100 + 'y', a=[dict(d=1, c=['é'])])
    text = dump_yaml(data)
    assert text == f'b: {data["b"]}\na:\n  - d: 1\n    c:\n      - é\n'
