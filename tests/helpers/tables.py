# Copyright (c) mmrdn contributors. All rights reserved.
"""Tables of Markdown."""

import re


def cells(text, title, row):
    """The cells of a row of the table below a title."""
    table = text.split(title)[1].split('\n\n')[1]
    (line,) = (line for line in table.splitlines() if line.startswith(f'| {row} |'))
    return [cell.strip() for cell in line.strip('|').split('|')][1:]


def tables(text):
    """Header and rows, lists of cells, of each table."""
    for block in re.findall(r'(?:^\|.*\|\n)+', text, re.M):
        header, _, *rows = [[cell.strip() for cell in line.strip('|').split('|')] for line in block.splitlines()]
        yield header, rows
