# Copyright (c) mmrdn contributors. All rights reserved.
"""The page of each folder of configs has what a page of a model zoo has."""

import re

import pytest
import yaml

from helpers.configs import ROOT
from helpers.tables import tables

FOLDERS = sorted({path.parent for path in (ROOT / 'configs').rglob('*.py') if '_base_' not in path.parts})
SECTIONS = ('Abstract', 'Method', 'Results', 'Commands', 'Citation')
every_folder = pytest.mark.parametrize('folder', FOLDERS, ids=lambda folder: folder.name)


def sections(folder):
    """By the first word of its heading, the text of each part of a page."""
    parts = re.split(r'(?m)^## (\w+).*\n', (folder / 'README.md').read_text())
    return dict(zip(parts[1::2], parts[2::2]))


def test_there_are_folders():
    assert {'rdn', 'selsa', 'fgfa'} <= {folder.name for folder in FOLDERS}


@every_folder
def test_parts_of_the_page(folder):
    found = sections(folder)
    order = [name for name in found if name in SECTIONS]
    assert order == list(SECTIONS), f'{folder.name}: {list(found)}'
    for name in ('Abstract', 'Method'):
        assert len(found[name].split()) > 40, name
    assert re.search(r'(?m)^mim (train|test) mmrdn configs/', found['Commands'])


@every_folder
def test_paper_is_that_of_the_metafile(folder):
    text = (folder / 'README.md').read_text()
    (link,) = re.findall(r'(?m)^> \[(.+)\]\((https://\S+)\)', text)
    collections = yaml.safe_load((folder / 'metafile.yml').read_text())['Collections']
    assert link in [(c['Paper']['Title'], c['Paper']['URL']) for c in collections]
    cited = re.search(r'```bibtex\n@\w+\{.*?title=\{(.+?)\}.*?year=\{\d{4}\}', sections(folder)['Citation'], re.S)
    assert cited.group(1).lower() == link[0].lower()


@every_folder
def test_figures_of_papers_have_a_column_of_their_own(folder):
    """And what nobody measured says so."""
    with_paper = 0
    for header, rows in tables((folder / 'README.md').read_text()):
        paper = [i for i, name in enumerate(header) if 'paper' in name.lower()]
        ours = [i for i, name in enumerate(header) if 'measured' in name]
        assert not set(paper) & set(ours), header
        assert bool(paper) <= bool(ours), header
        with_paper += bool(paper)
        for row in rows:
            assert len(row) == len(header), row
            for i in paper:
                assert re.fullmatch(r'\d+\.\d|-', row[i]), row
            for i in ours:
                assert re.fullmatch(r'\d+\.\d( ± \d+\.\d)?|not measured', row[i]), row
    assert with_paper


@every_folder
def test_measured_figures_are_those_of_the_metafile(folder):
    models = yaml.safe_load((folder / 'metafile.yml').read_text())['Models']
    results = {
        model['Name']: f'{result["Metrics"]["mAP50"]:.1f}' for model in models for result in model.get('Results', [])
    }
    shown = {}
    for header, rows in tables((folder / 'README.md').read_text()):
        for row in rows:
            config = re.search(r'\]\((\S+)\.py\)', row[-1])
            if 'mAP, measured' in header and config:
                shown[config.group(1)] = row[header.index('mAP, measured')]
    assert results == {k: v for k, v in shown.items() if v != 'not measured'}
