# Copyright (c) mmrdn contributors. All rights reserved.
"""Every code block of the pages is run by a test, or says why not."""

import ast
import re

import pytest

from helpers import pages
from helpers.configs import ROOT
from helpers.pages import PAGES, RUNNABLE, RUNNERS, CodeBlock, blocks, blocks_to_run

NAMES = [path.relative_to(ROOT).as_posix() for path in PAGES]


@pytest.mark.parametrize('page', NAMES)
def test_every_block_is_run_or_says_why_not(page):
    text = (ROOT / page).read_text()
    found = blocks(page)
    # Counted in another way: by the opening fences alone.
    fences = [i for i, line in enumerate(text.splitlines(), 1) if re.fullmatch(rf' *```({"|".join(RUNNABLE)})', line)]
    assert [block.line for block in found] == fences
    for block in found:
        if block.reason is None:
            assert (page, block.language) in RUNNERS, f'{page}:{block.line} is neither run nor says why not'
        else:
            assert len(block.reason.split()) > 1
            for path in re.findall(r'tests/[\w/]+(?:\.py)?', block.reason):
                assert (ROOT / path).exists(), f'{page}:{block.line} names {path}'


def test_a_reason_without_a_block_would_be_forgotten():
    for page in NAMES:
        reasons = len(re.findall(r'(?m)^ *<!-- not run: ', (ROOT / page).read_text()))
        assert reasons == sum(block.reason is not None for block in blocks(page)), page


@pytest.mark.parametrize('page, language', RUNNERS)
def test_the_test_of_a_page_reads_it(page, language):
    assert blocks_to_run(page, language)
    source = (ROOT / 'tests' / RUNNERS[page, language]).read_text()
    assert page in source and 'blocks_to_run' in source


def test_blocks_of_a_page(tmp_path, monkeypatch):
    (tmp_path / 'page.md').write_text(
        '```shell\na \\\n    b  # c\n\n# d\ne\n```\n\n<!-- not run: no time -->\n```python\nf\n```\n'
        '```text\ng\n```\n1. x\n\n   ```python\n   h\n     i\n   ```\n'
    )
    monkeypatch.setattr(pages, 'ROOT', tmp_path)
    first, second, third = blocks('page.md')
    assert [' '.join(command.split()) for command in first.commands()] == ['a b # c', 'e']
    assert second == CodeBlock('page.md', 10, 'python', 'f\n', 'no time')
    assert third == CodeBlock('page.md', 18, 'python', 'h\n  i\n', None)
    assert blocks_to_run('page.md', 'python') == [third]


# The page of errors.


def templates():
    """Texts of the package with ``...`` for what is put in: f-strings joined, all others as they are."""
    for folder in ('mmrdn', 'tools'):
        for path in (ROOT / folder).rglob('*.py'):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.JoinedStr):
                    parts = [part.value if isinstance(part, ast.Constant) else '...' for part in node.values]
                    yield ''.join(parts)
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value


# Of other packages and Python, or written by a table or a progress bar in parts, or with a path as an example.
ELSEWHERE = (
    *('MMCV==', 'No module named', 'libGL', '...__init__() got', 'CUDA out of memory'),
    *('clip.mp4: 0 detections', 'data/ILSVRC/'),
)


def faq_errors():
    headings = re.findall(r'(?m)^### `(.+)`$', (ROOT / 'docs' / 'faq.md').read_text())
    return [heading for heading in headings if not heading.startswith(ELSEWHERE)]


def is_of(error, template):
    """Whether the parts of an error that do not differ are in a text, in this order."""
    parts = [part for part in error.split('...') if part.strip()]
    if any(part not in template for part in parts):
        return False
    return re.search('.*?'.join(map(re.escape, parts)), template, re.S) is not None


@pytest.mark.slow
def test_errors_of_the_faq_are_those_of_the_code():
    texts = set(templates())
    errors = faq_errors()
    assert len(errors) > 25
    unknown = [error for error in errors if not any(is_of(error, text) for text in texts)]
    assert not unknown


def test_an_error_that_nobody_raises_is_found():
    assert is_of('a ... c', 'x a ... c')
    assert not is_of('a ... c', 'x c ... a')
