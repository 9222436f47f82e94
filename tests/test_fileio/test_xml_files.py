# Copyright (c) mmrdn contributors. All rights reserved.
import pytest

from mmrdn.fileio.xml_files import read_xml

DTD = '<!DOCTYPE a [<!ENTITY b "cc">]><a>&b;</a>'


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-16', 'utf-16-be', 'utf-8-sig'])
def test_document_types_are_refused_in_every_encoding(encoding, tmp_path):
    path = tmp_path / 'a.xml'
    path.write_bytes(DTD.encode(encoding))
    with pytest.raises(ValueError) as error:
        read_xml(path)
    assert str(error.value) == f'{path}: an annotation may not declare a document type or entities'
    # The word alone is none.
    path.write_bytes('<a><!-- <!DOCTYPE --><b>&lt;!ENTITY</b></a>'.encode(encoding))
    assert read_xml(path).find('b').text == '<!ENTITY'


@pytest.mark.parametrize(
    'text',
    ['', '<a>', '<a>&b;</a>', '<?xml version="1.0" encoding="utf-7"?><a/>', '<?xml version="1.0" encoding="no"?><a/>']
    + ['<a/><a/>', 'x'],
)
def test_broken_xml_names_its_file(text, tmp_path):
    path = tmp_path / 'a.xml'
    path.write_text(text)
    with pytest.raises(ValueError) as error:
        read_xml(path)
    assert str(error.value).startswith(f'{path}: broken XML, ')
    assert str(error.value).endswith('the file is empty') == (not text)


@pytest.mark.slow
def test_depth_is_no_danger(tmp_path):
    path = tmp_path / 'a.xml'
    path.write_text('<a>' * 200000 + '</a>' * 200000)
    assert read_xml(path).tag == 'a'
