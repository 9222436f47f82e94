# Copyright (c) mmrdn contributors. All rights reserved.
"""Tables of a cross-validation, against means and deviations by hand."""

from helpers.tables import cells
from mmrdn.comparison.fold_report import FoldReport, mean_and_spread


def run(row, fold=0, seed=0, **measured):
    """The measurements of a run."""
    return dict(row=row, fold=fold, seed=seed, **dict(dict(mAP50=50.0, slow=None, found=80.0, flicker=5.0), **measured))


def test_mean_and_spread():
    assert mean_and_spread([]) == '-'
    assert mean_and_spread([71.26]) == '71.3'
    assert mean_and_spread([70.0, 74.0]) == '72.0 ± 2.8'  # sqrt((2**2 + 2**2) / 1)
    assert mean_and_spread([1.0, 2.0, 3.0], sign='+') == '+2.0 ± 1.0'


def test_table_of_hand_written_runs():
    runs = [
        *(run('single', fold, seed, mAP50=50.0 + 10 * fold + seed) for fold in (0, 1) for seed in (0, 1)),
        run('rdn', 0, 0, mAP50=60.0, slow=70.0),
        run('rdn', 1, 0, mAP50=66.0, slow=None),
        run('rdn + TubeLinking', 0, 0, mAP50=None),
    ]
    text = FoldReport(['single', 'rdn', 'rdn + TubeLinking', 'basic'], [0, 1], [0, 1], runs, ['single']).markdown()
    # 50, 51, 60, 61: mean 55.5, squares of the deviations 5.5, 4.5 twice each: sqrt(101 / 3).
    assert cells(text, 'over the runs (2 folds x 2 seeds), %', 'single') == [
        '55.5 ± 5.8', '-', '-', '-', '80.0 ± 0.0', '5.0 ± 0.0', '4 of 4'
    ]  # fmt: skip
    assert cells(text, 'over the runs (2', 'rdn') == [
        '63.0 ± 4.2', '70.0', '-', '-', '80.0 ± 0.0', '5.0 ± 0.0', '2 of 4'
    ]  # fmt: skip
    assert cells(text, 'over the runs (2', 'rdn + TubeLinking')[0] == '-'
    assert cells(text, 'over the runs (2', 'basic') == ['not measured yet', *[''] * 6]
    assert cells(text, 'mAP50 by fold', 'single') == ['50.5 ± 0.7', '60.5 ± 0.7']
    assert cells(text, 'mAP50 by seed', 'single') == ['55.0 ± 7.1', '56.0 ± 7.1']
    assert cells(text, 'mAP50 by seed', 'rdn') == ['63.0 ± 4.2', '-']
    # 60 - 50 and 66 - 60, the runs that both have.
    assert cells(text, 'Gain in mAP50', 'rdn') == ['+8.0 ± 2.8']
    assert cells(text, 'Gain in mAP50', 'single') == ['-']
