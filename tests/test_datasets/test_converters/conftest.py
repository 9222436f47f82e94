# Copyright (c) mmrdn contributors. All rights reserved.
import pytest

from helpers.annotations import convert


@pytest.fixture
def read_cvat(tmp_path):
    """Convert the text of a file of CVAT."""

    def call(text, name='cvat-video', **options):
        path = tmp_path / 'annotations.xml'
        path.write_text(text, encoding='utf-8')
        return convert(name, path, tmp_path / 'out.json', overwrite=True, **options)

    return call
