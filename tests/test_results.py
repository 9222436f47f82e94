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
COMPARED = {
    'single frame': 'rdn/single-frame_faster-rcnn_r18-gn',
    'DFF': 'dff/dff_faster-rcnn_r18',
    'FGFA': 'fgfa/fgfa_faster-rcnn_r18',
    'SELSA': 'selsa/selsa_faster-rcnn_r18',
    'Temporal RoI Align': 'temporal_roi_align/selsa-troialign_faster-rcnn_r18',
    'RDN': 'rdn/rdn_faster-rcnn_r18-gn',
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


def text_of(page):
    return ' '.join((ROOT / page).read_text().split())


def gains(davis, row, baseline, name='mAP50'):
    """Gains with the same fold and seed, by fold and seed, of the folds that have the motion group."""
    pairs = {key: (davis[(row, *key)][name], davis[(baseline, *key)][name]) for key in DAVIS_RUNS}
    return {key: ours - theirs for key, (ours, theirs) in pairs.items() if ours is not None}


def by_fold(values):
    return [mean(values[fold, seed] for seed in range(3)) for fold in range(5)]


def test_davis_means_in_readme(davis):
    single, longer = (gains(davis, 'rdn', baseline) for baseline in ('single-frame', 'single-frame-3x'))
    folds = [f'{min(by_fold(found)):.1f} to {max(by_fold(found)):.1f}' for found in (single, longer)]
    readme = text_of('README.md')
    score = mean(davis[('rdn', *key)]['mAP50'] for key in DAVIS_RUNS)
    assert f'RDN has an mAP50 of {score:.1f}: {spread(single.values())} points more than the single-frame' in readme
    assert f'single-frame detector ({folds[0]} by fold), and' in readme
    assert f', and {spread(longer.values())} more than that detector trained on as many images ({folds[1]}).' in readme


def test_davis_gains_in_words(davis):
    page = text_of('docs/real_videos.md')
    single, longer = (gains(davis, 'rdn', baseline) for baseline in ('single-frame', 'single-frame-3x'))
    folds = [by_fold(found) for found in (single, longer)]
    lists = [', '.join(f'{gain:+.1f}' for gain in found[:4]) + f' and {found[4]:+.1f}' for found in folds]
    assert f'it is {lists[0]} points over the single-frame detector, and {lists[1]} over the one with' in page
    assert f'these five folds are {spread(folds[0])} and {spread(folds[1])}, with' in page
    # Student's t, 4 degrees of freedom, 97.5%: 2.776.
    limits = [(mean(found), 2.776 * stdev(found) / 5**0.5) for found in folds]
    (low, high), (low_longer, high_longer) = ((center - half, center + half) for center, half in limits)
    expected = f'of {low:.1f} to {high:.1f} and {low_longer:.1f} to {high_longer:.1f}.'
    assert f"95% confidence intervals (Student's t) {expected}" in page
    won = [sum(gain > 0 for gain in found.values()) for found in (single, longer)]
    assert f'it is ahead in {won[0]} and in {won[1]}.' in page
    fast, medium, slow = (spread(gains(davis, 'rdn', 'single-frame', name).values(), '+') for name in GROUPS[:0:-1])
    assert f'is {fast} points on fast objects, {medium} on medium ones and {slow} on slow ones' in page


def test_davis_other_differences_in_words(davis):
    page = text_of('docs/real_videos.md')
    worse = spread(gains(davis, 'single-frame', 'single-frame-3x').values())
    assert f'the single-frame detector is {worse} points worse' in page
    assert f'RDN is {spread(gains(davis, "rdn", "rdn-basic").values())} points ahead of its basic stage' in page
    lower = gains(davis, 'rdn', 'rdn-selsa')
    assert f'RDN is {spread(lower.values())} points lower, and lower in each fold' in page and min(by_fold(lower)) > 0
    assert f'Tube linking adds {spread(gains(davis, "rdn + TubeLinking", "rdn").values())} points' in page
    assert f'With Seq-NMS, RDN loses {spread(gains(davis, "rdn", "rdn + SeqNMS").values())} points' in page
    linked = gains(davis, 'rdn + BoxLinkingWithRelations', 'rdn + TubeLinking')
    assert 'the same figures up to 0.05 points' in page and round(max(map(abs, linked.values())), 2) == 0.05
    seeds = {
        row: [stdev(davis[row, fold, seed]['mAP50'] for seed in range(3)) for fold in range(5)]
        for row in ('rdn', 'single-frame')
    }
    rdn, single = (mean(found) for found in seeds.values())
    assert f'is {rdn:.1f} points for RDN in the average fold, and {single:.1f} points for the' in page
    assert [ours < theirs for ours, theirs in zip(*seeds.values(), strict=True)] == [True, True, False, False, True]


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


def test_differences_on_moving_digits_in_words(digits):
    page = text_of('docs/reproduction.md')
    means = {key: mean(run['mAP50'] for run in runs) for key, runs in digits.items() if len(runs) == 3}
    single, frame, basic, rdn = (
        means['Table 3', label] for label in ('single frame', 'relation in the frame', 'basic', 'RDN')
    )
    assert f'the basic stage is {basic - single:.1f} points ahead of the single frame' in page
    assert f'{single - frame:.1f} points behind the single frame' in page
    assert f'RDN is {basic - rdn:.1f} points behind the basic stage' in page
    by_k = {k: means['Table 6', f'K = {k}'] for k in (4, 8, 12, 16, 24, 32, 48, 64)}
    less = [f'{by_k[16] - by_k[k]:.1f}' for k in (4, 8)]
    assert f'({less[0]} and {less[1]} points less than 16)' in page
    others = [by_k[k] for k in by_k if k >= 12]
    assert f'From 12 to 64, K makes no difference ({max(others) - min(others):.1f} points;' in page


def test_comparison_with_detectors_of_mmtrack():
    (table,) = read_results('moving_digits_comparison.json')['tables']
    lines = {line['label']: line['runs'] for line in table['lines']}
    ((header, rows),) = tables_of('docs/comparison.md', 'Detector', 'ms a frame')
    assert [row[0] for row in rows] == list(COMPARED)
    for label, *cells in rows:
        config = COMPARED[label] + '_1xb1-6000_movingdigits.py'
        folder, name = config.split('/')
        runs = lines[name.split('_')[0] + ' ' + name.split('_')[2]]
        assert sorted(run['seed'] for run in runs) == [0, 1, 2]
        for group, cell in zip(header[1:5], cells, strict=False):
            assert cell == spread([run[group] for run in runs]), (label, group)
        mean_of_config = next(
            row[-2]
            for _, rows in tables_of(f'configs/{folder}/README.md', 'Config')
            for row in rows
            if f'({name})' in row[-1]
        )
        assert mean_of_config == cells[0], config
