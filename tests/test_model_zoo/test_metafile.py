# Copyright (c) mmrdn contributors. All rights reserved.
"""More of it is tested through ``tools/model_converters/make_metafile.py``."""

import pytest

from mmrdn.model_zoo import update_metafile

TEXT = 'Collections:\n  - Name: A  # short\n\nModels:\n  # the first\n  - Name: one\n    Metadata: {%sEpochs: 1}\n'


@pytest.fixture
def metafile(tmp_path):
    directory = tmp_path / 'configs' / 'a'
    directory.mkdir(parents=True)
    (tmp_path / 'model-index.yml').write_text('Import:\n  - configs/a/metafile.yml\n')
    return directory / 'metafile.yml'


def test_another_layout_is_changed_with_a_warning(metafile):
    """Spaces in braces are not kept; all else is."""
    metafile.write_text(TEXT % '  ')
    with pytest.warns(UserWarning, match='the metafile was reformatted'):
        update_metafile(dict(Name='one', Weights='a.pth'), metafile)
    assert metafile.read_text() == TEXT % '' + '    Weights: a.pth\n'


def test_the_usual_layout_is_kept_without_a_warning(metafile, recwarn):
    metafile.write_text(TEXT % '')
    update_metafile(dict(Name='one', Metadata=dict(Epochs=2)), metafile)
    assert metafile.read_text() == (TEXT % '').replace('Epochs: 1', 'Epochs: 2')
    assert not recwarn.list
