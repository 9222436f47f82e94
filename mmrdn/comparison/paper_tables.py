# Copyright (c) mmrdn contributors. All rights reserved.
"""Tables 3 to 7 of the paper on moving digits."""

from collections.abc import Sequence
from pathlib import Path

from mmrdn.comparison.demo import digits_options, prepare_data
from mmrdn.comparison.seed_comparison import Line, Row, SeedComparison, Table

_CONFIG = 'rdn/{}_faster-rcnn_r18_1xb4-1500_movingdigits'
_N_B = 'model.neck.num_basic={}'
# Options of testing by the symbol of the paper, with the values that the models were not trained for.
_TEMPORAL_RANGES = {f'T = {t}': [f'model.temporal_range={t}'] for t in (0, 1, 2, 3, 4, 9, 12)}
_NUM_SUPPORTS = {f'K = {k}': [f'model.support_sampler.num_support={k}'] for k in (4, 8, 12, 24, 32, 48, 64)}
_RATIOS = {f'r = {r}%': [f'model.support_sampler.advanced_ratio={r / 100}'] for r in (10, 30, 40, 50, 60, 80, 100)}

ROWS = {
    'single frame': Row(_CONFIG.format('single-frame')),
    'relation in the frame': Row(_CONFIG.format('relation')),
    'basic': Row(_CONFIG.format('rdn-basic'), tests=_NUM_SUPPORTS),
    'RDN': Row(_CONFIG.format('rdn'), tests=_TEMPORAL_RANGES | _RATIOS),
    **{f'basic, N_b = {n}': Row(_CONFIG.format('rdn-basic'), [_N_B.format(n)]) for n in (1, 3, 4)},
}


def _by_value(row: str, own: str, tests: Sequence[str]) -> list[Line]:
    """Return the lines of a row by the value of its option, which is ``own`` in training."""
    lines = [Line(own, row), *(Line(test, row, test) for test in tests)]
    return sorted(lines, key=lambda line: int(line.label.split()[2].rstrip('%')))


TABLES = (
    Table('Table 3: ways of relation', [Line(name, name) for name in list(ROWS)[:4]]),
    Table('Table 4: temporal range T in testing, RDN trained with T = 6', _by_value('RDN', 'T = 6', _TEMPORAL_RANGES)),
    Table(
        'Table 5: relation modules N_b of the basic stage, each trained; N_b = 0 is the single frame',
        [
            Line('N_b = 0', 'single frame'),
            Line('N_b = 1', 'basic, N_b = 1'),
            Line('N_b = 2', 'basic'),
            Line('N_b = 3', 'basic, N_b = 3'),
            Line('N_b = 4', 'basic, N_b = 4'),
        ],
    ),
    Table(
        'Table 6: proposals K of a support frame in testing, basic stage trained with K = 16',
        _by_value('basic', 'K = 16', _NUM_SUPPORTS),
    ),
    Table(
        'Table 7: share r of the advanced supports in testing, RDN trained with r = 20%',
        _by_value('RDN', 'r = 20%', _RATIOS),
    ),
)


def paper_tables(
    work_dir: Path,
    seeds: Sequence[int] = (0, 1, 2),
    out: Path | None = None,
    options: Sequence[str] = (),
    device: str | None = None,
    threads: int = 1,
) -> SeedComparison:
    """Return the comparison that makes the tables; see :class:`SeedComparison`, ``run`` of which does it.

    Args:
        work_dir (Path): Directory of the data (``moving_digits``, made if need be) and of all runs.
        seeds (Sequence[int]): Seeds of the trainings. The data are those of seed 0.
        out (Path, optional): Path of the results without suffix.
        options (Sequence[str]): Words of ``--cfg-options`` for all trainings and tests.
        device (str, optional): ``cpu`` or ``cuda:N``. Default: a GPU if there is one.
        threads (int): Number of CPU threads in tests.
    """
    data_root = work_dir / 'moving_digits'
    return SeedComparison(
        ROWS,
        TABLES,
        work_dir,
        seeds,
        out,
        [*digits_options(data_root), *options],
        device,
        threads,
        make_data=lambda console: prepare_data(data_root, console),
    )
