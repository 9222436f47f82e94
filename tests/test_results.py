# Copyright (c) mmrdn contributors. All rights reserved.
"""Tables of results in the pages, computed from the runs in docs/results."""

import json
from pathlib import Path
from statistics import mean, stdev

import pytest

from helpers.tables import tables

ROOT = Path(__file__).parents[1]
GROUPS = ('mAP50', 'slow', 'medium', 'fast')
DAVIS_ROWS = {
    'single frame': 'single-frame',
    'single frame, 3 times the iterations': 'single-frame-3x',
    'RDN, basic stage': 'rdn-basic',
    'RDN': 'rdn',
    'RDN + tube linking': 'rdn + TubeLinking',
    'RDN + BLR': 'rdn + BoxLinkingWithRelations',
    'RDN + Seq-NMS': 'rdn + SeqNMS',
    "RDN with SELSA's aggregator": 'rdn-selsa',
}
DAVIS_RUNS = [(fold, seed) for fold in range(5) for seed in range(3)]
DIGITS_ROWS = {
    'single frame': 'single frame',
    'relation in the frame': 'relation in the frame',
    'basic stage': 'basic',
    'RDN, basic stage': 'basic',
    'RDN': 'RDN',
}


def read_results(name):
    return json.loads((ROOT / 'docs' / 'results' / name).read_text())


def tables_of(page, *columns):
    """Rows of the tables that have some columns, by header."""
    found = [(header, rows) for header, rows in tables((ROOT / page).read_text()) if set(columns) <= set(header)]
    assert found, page
    return found


def spread(values, sign=''):
    values = [value for value in values if value is not None and value == value]
    return f'{mean(values):{sign}.1f} ± {stdev(values):.1f}'


@pytest.fixture(scope='module')
def davis():
    """Runs by row, fold and seed."""
    return {(run['row'], run['fold'], run['seed']): run for run in read_results('davis_folds.json')['runs']}


def test_davis_means(davis):
    ((header, rows),) = tables_of('docs/real_videos.md', 'found', 'flicker')
    assert [row[0] for row in rows] == list(DAVIS_ROWS)
    for label, *cells in rows:
        runs = [davis[(DAVIS_ROWS[label], *key)] for key in DAVIS_RUNS]
        for name, cell in zip(header[1:], cells, strict=True):
            assert cell == spread([run[name] for run in runs]), (label, name)


def test_davis_folds_and_gains(davis):
    ((_, rows),) = tables_of('docs/real_videos.md', 'fold 0', 'over single frame')
    assert [row[0] for row in rows] == list(DAVIS_ROWS)
    for label, *cells in rows:
        scores = {key: davis[(DAVIS_ROWS[label], *key)]['mAP50'] for key in DAVIS_RUNS}
        assert cells[:5] == [spread([scores[fold, seed] for seed in range(3)]) for fold in range(5)]
        for baseline, cell in zip(('single-frame', 'single-frame-3x'), cells[5:], strict=True):
            gains = [score - davis[(baseline, *key)]['mAP50'] for key, score in scores.items()]
            assert cell == ('' if DAVIS_ROWS[label] == baseline else spread(gains, '+')), (label, baseline)


def test_davis_means_in_configs(davis):
    ((_, rows),) = tables_of('configs/rdn/README.md', '5 folds, 3 seeds, measured')
    assert len(rows) == 5
    for _, cell, config in rows:
        name = next(row for row in DAVIS_ROWS.values() if f'({row}_' in config)
        assert cell == f'{mean(davis[(name, *key)]["mAP50"] for key in DAVIS_RUNS):.1f}'


def test_davis_means_in_readme(davis):
    rdn, single, longer = (
        [davis[(row, *key)]['mAP50'] for key in DAVIS_RUNS] for row in ('rdn', 'single-frame', 'single-frame-3x')
    )
    gain, gain_over_longer = (spread([a - b for a, b in zip(rdn, other, strict=True)]) for other in (single, longer))
    readme = ' '.join((ROOT / 'README.md').read_text().split())
    assert f'RDN has an mAP50 of {mean(rdn):.1f}: {gain} points more than the single-frame detector' in readme
    assert f', and {gain_over_longer} more than the same trained on as many images' in readme


@pytest.fixture(scope='module')
def digits():
    """Runs by the number of the table and the label of the line."""
    found = {}
    for table in read_results('moving_digits_tables.json')['tables']:
        number = table['title'].split(':')[0]
        found |= {(number, line['label']): line['runs'] for line in table['lines']}
    return found


@pytest.mark.parametrize('page', ['README.md', 'docs/reproduction.md'])
def test_means_on_moving_digits(page, digits):
    for header, rows in tables_of(page, 'Detector', 'slow', 'fast'):
        for label, *cells in rows:
            runs = sorted(digits['Table 3', DIGITS_ROWS[label]], key=lambda run: run['seed'])
            assert [run['seed'] for run in runs] == [0, 1, 2]
            for name, cell in zip(header[1:], cells, strict=True):
                if name in GROUPS:
                    assert spread([run[name] for run in runs]).startswith(cell), (label, name)
                else:
                    assert cell == ', '.join(f'{run["mAP50"]:.1f}' for run in runs)


def test_two_phases_on_moving_digits(digits):
    ((header, rows),) = tables_of('docs/reproduction.md', 'After 2250 iterations')
    for label, *cells in rows:
        runs = digits['Two phases', 'RDN' if label.startswith('RDN') else 'basic']
        for name, cell in zip(header[1:-1], cells, strict=False):
            assert cell == spread([run[name] for run in runs]), (label, name)
        assert cells[-1] == ', '.join(f'{run["mAP50"]:.1f}' for run in runs)


@pytest.mark.parametrize(('number', 'symbol'), [(4, 'T'), (5, 'N_b'), (6, 'K'), (7, 'r')])
def test_other_tables_on_moving_digits(number, symbol, digits):
    ((header, (row,)),) = tables_of('docs/reproduction.md', f'Table {number}: {symbol}')
    for value, cell in zip(header[1:], row[1:], strict=True):
        runs = digits[f'Table {number}', f'{symbol} = {value.strip("*")}']
        assert sorted(run['seed'] for run in runs) == [0, 1, 2]
        assert cell == spread([run['mAP50'] for run in runs])
