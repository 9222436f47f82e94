# Copyright (c) mmrdn contributors. All rights reserved.
"""The pages, and the code blocks in them that a reader runs.

A block is run by the test that RUNNERS names for its page, or the comment before it says why not::

    <!-- not run: needs a camera -->
"""

import re
import shlex
import textwrap
from dataclasses import dataclass

from helpers.configs import ROOT

PAGES = sorted([*ROOT.glob('*.md'), *(ROOT / 'docs').glob('*.md'), *(ROOT / 'configs').rglob('*.md')])
RUNNABLE = ('shell', 'bash', 'sh', 'console', 'python')
# Which test runs the blocks of a page, by page and language.
RUNNERS = {
    ('README.md', 'shell'): 'test_tools/test_video_docs.py',
    ('docs/video.md', 'shell'): 'test_tools/test_video_docs.py',
    ('docs/video.md', 'python'): 'test_tools/test_video_docs.py',
    ('docs/own_videos.md', 'shell'): 'test_own_videos/test_tutorial.py',
    ('docs/quickstart.md', 'shell'): 'test_tools/test_digits_pages.py',
    ('docs/quickstart.md', 'python'): 'test_tools/test_digits_pages.py',
    ('docs/training.md', 'shell'): 'test_tools/test_digits_pages.py',
    ('docs/training.md', 'python'): 'test_tools/test_recipes.py',
    ('docs/configs.md', 'shell'): 'test_tools/test_digits_pages.py',
    ('docs/configs.md', 'python'): 'test_tools/test_digits_pages.py',
    ('docs/box_linking.md', 'shell'): 'test_tools/test_digits_pages.py',
    ('docs/box_linking.md', 'python'): 'test_tools/test_digits_pages.py',
    ('docs/visualization.md', 'shell'): 'test_tools/test_digits_pages.py',
    ('docs/visualization.md', 'python'): 'test_tools/test_digits_pages.py',
    ('docs/deployment.md', 'bash'): 'test_runtime/test_carried_model.py',
    ('docs/deployment.md', 'python'): 'test_runtime/test_carried_model.py',
    ('docs/metric.md', 'python'): 'test_tools/test_digits_pages.py',
}
_BLOCK = re.compile(
    r'(?:^ *<!-- not run: (?P<reason>[^\n]+) -->\n)?^(?P<indent> *)```(?P<language>\w+)\n(?P<text>.*?)^ *```$',
    re.M | re.S,
)


@dataclass(frozen=True)
class CodeBlock:
    """A code block of a page.

    Attributes:
        page (str): Path of the page from the root.
        line (int): Line of the page in which it begins.
        language (str): Its language.
        text (str): What is in it.
        reason (str | None): Why no test runs it.
    """

    page: str
    line: int
    language: str
    text: str
    reason: str | None

    def commands(self) -> list[str]:
        """Return the command lines of a shell block, continued lines joined, comments left out."""
        lines = self.text.replace('\\\n', ' ').splitlines()
        return [line for line in map(str.strip, lines) if shlex.split(line, comments=True)]


def blocks(page: str) -> list[CodeBlock]:
    """Return the code blocks of a page that a reader runs."""
    text = (ROOT / page).read_text()
    found = []
    for match in _BLOCK.finditer(text):
        if match['language'] in RUNNABLE:
            line = text.count('\n', 0, match.start('language')) + 1
            body = textwrap.dedent(match['text'])
            found.append(CodeBlock(page, line, match['language'], body, match['reason']))
    return found


def blocks_to_run(page: str, language: str) -> list[CodeBlock]:
    """Return the blocks of a page in a language that its test runs."""
    return [block for block in blocks(page) if block.language == language and block.reason is None]
