# Copyright (c) mmrdn contributors. All rights reserved.
"""Settings of `make docs`.

Pages are those of docs/, of configs/ and at the root of the repository, so that links between them are
the same here and in the repository. The source directory is the root.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # tools, for their arguments

import mmrdn  # noqa: E402  (makes mmtrack importable)

project = 'mmrdn'
author = 'mmrdn contributors'
copyright = author
release = mmrdn.__version__

extensions = ['myst_parser', 'sphinx.ext.autodoc', 'sphinx.ext.napoleon', 'sphinx_argparse_cli']
root_doc = 'docs/index'
include_patterns = ['docs/*.md', 'configs/*/README.md', 'CONTRIBUTING.md', 'CHANGELOG.md']
exclude_patterns = ['.*', 'data', 'work_dirs', 'build', 'dist', 'docs/_build']

myst_heading_anchors = 4

autodoc_typehints = 'none'  # the docstrings have them
autodoc_member_order = 'bysource'

html_theme = 'furo'
html_title = 'mmrdn'
html_extra_path = ['_root']  # index.html, which leads to docs/index.html
html_copy_source = False
