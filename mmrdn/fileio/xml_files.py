# Copyright (c) mmrdn contributors. All rights reserved.
import os
from xml.etree import ElementTree

from mmrdn.fileio.named_file import read_named


def read_xml(path: str | os.PathLike) -> ElementTree.Element:
    """Read an XML file that may be anybody's.

    Args:
        path (str or Path): The file.

    Returns:
        Element: Its root.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no XML, or declares a document type: entities of a few bytes can
            stand for gigabytes, and for other files.
    """
    return parse_xml(read_named(path), path)


def parse_xml(content: bytes, name: str | os.PathLike) -> ElementTree.Element:
    """Return the root of an XML text that may be anybody's, see :func:`read_xml`.

    Args:
        content (bytes): The whole text.
        name (str or Path): Its name, for messages.
    """
    parser = ElementTree.XMLParser(target=_PlainBuilder())
    try:
        parser.feed(content)
        return parser.close()
    except _DocumentTypeError:
        raise ValueError(f'{name}: an annotation may not declare a document type or entities') from None
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        problem = error if content.strip() else 'the file is empty'
        raise ValueError(f'{name}: broken XML, {problem}') from None


class _DocumentTypeError(Exception):
    pass


class _PlainBuilder(ElementTree.TreeBuilder):
    """A builder that refuses a document type, whatever its encoding.

    The parser learns of it at the end of the text: until then Expat (2.4 and newer) keeps entities
    within bounds.
    """

    def doctype(self, *args) -> None:
        raise _DocumentTypeError
