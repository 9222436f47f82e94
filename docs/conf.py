# Copyright (c) mmrdn contributors. All rights reserved.
"""Settings of `make docs`."""

project = 'mmrdn'
author = 'mmrdn contributors'
extensions = ['myst_parser']
myst_heading_anchors = 3
exclude_patterns = ['_build']
# Links to files outside docs/ and Mermaid diagrams work on the repository's pages only.
suppress_warnings = ['myst.xref_missing', 'misc.highlighting_failure']
html_theme = 'alabaster'
