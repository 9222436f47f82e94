# Copyright (c) mmrdn contributors. All rights reserved.
"""Several seeds and tables of the paper, with a stand-in for training and test."""

import io
import os

import pytest
from rich.console import Console

from helpers.stand_in import StandIn, detector_config
from mmrdn.apis.config_files import load_config
from mmrdn.comparison import detector_run
from mmrdn.comparison.detector_run import DetectorRun, run_side_by_side
from mmrdn.comparison.paper_tables import ROWS, TABLES, paper_tables
from mmrdn.comparison.seed_comparison import Line, Row, SeedComparison, Table
from mmrdn.fileio.json_files import read_json, write_json
from mmrdn.utils.cli import parse_options, run_resumable

TABLE = Table('T of B', [Line('A', 'A'), Line('T = 1', 'B', 'T = 1'), Line('T = 6', 'B')])


class MeasuredByT(StandIn):
    """A stand-in for which mAP50 is 10 T + seed, and a frame takes T + 1 ms."""

    def test(self, run, checkpoint):
        """Write the score and the cost."""
        t, seed = run.cfg.model.temporal_range, run.cfg.randomness.seed
        assert f'seed{seed}' in checkpoint  # its own weights
        write_json(dict(ms_per_frame=t + 1.0, parameters=9), run.directory / 'cost.json')
        write_json({'vid/mAP50': (10 * t + seed) / 100}, run.directory / 'test' / '20_1' / '20_1.json')


@pytest.fixture
def stand_in(monkeypatch):
    return MeasuredByT(monkeypatch)


@pytest.fixture
def arguments(tmp_path):
    """Row A with T = 2; row B with T = 6, tested with T = 1 too."""
    (tmp_path / 'val.json').write_text('{}')
    for name, t in dict(a=2, b=6).items():
        (tmp_path / f'{name}.py').write_text(detector_config(t, str(tmp_path / 'val.json')))
    rows = dict(
        A=Row(str(tmp_path / 'a.py')), B=Row(str(tmp_path / 'b.py'), tests={'T = 1': ['model.temporal_range=1']})
    )
    return dict(rows=rows, tables=[TABLE], work_dir=tmp_path / 'work', seeds=[0, 2])


def test_mean_and_spread_over_seeds(arguments, stand_in):
    assert SeedComparison(**arguments).run() == []
    assert [name for tool, name in stand_in.calls if tool == 'train'] == [
        'A, seed 0', 'B, seed 0', 'A, seed 2', 'B, seed 2'
    ]  # fmt: skip
    lines = (arguments['work_dir'] / 'tables.md').read_text().splitlines()
    assert lines[0] == 'T of B:'
    # 10 T and 10 T + 2: the standard deviation is sqrt((1 + 1) / 1).
    assert lines[4:7] == [
        '| A | 21.0 ± 1.4 | - | - | - | 3.0 ± 0.0 | 2 of 2 |',
        '| T = 1 | 11.0 ± 1.4 | - | - | - | 2.0 ± 0.0 | 2 of 2 |',
        '| T = 6 | 61.0 ± 1.4 | - | - | - | 7.0 ± 0.0 | 2 of 2 |',
    ]
    (table,) = read_json(arguments['work_dir'] / 'tables.json')['tables']
    assert [(run['seed'], run['mAP50']) for run in table['lines'][1]['runs']] == [(0, 10.0), (2, 12.0)]


@pytest.mark.slow
def test_finished_runs_are_not_repeated(arguments, stand_in):
    """Further tests and seeds are added to what is there."""
    SeedComparison(**arguments).run()
    before = (arguments['work_dir'] / 'tables.md').read_text()
    stand_in.calls.clear()
    assert SeedComparison(**arguments).run() == [] and stand_in.calls == []
    assert (arguments['work_dir'] / 'tables.md').read_text() == before
    row = arguments['rows']['B']
    more = dict(arguments['rows'], B=Row(row.config, tests=row.tests | {'T = 3': ['model.temporal_range=3']}))
    SeedComparison(**dict(arguments, rows=more)).run(only=['B'])
    assert stand_in.calls == [('test', f'B, seed {seed}, T = 3') for seed in (0, 2)]


@pytest.mark.parametrize('call', [('train', 'B, seed 0'), ('test', 'B, seed 0'), ('test', 'B, seed 0, T = 1')])
def test_killed_and_started_again(arguments, stand_in, call):
    stand_in.fail = {call: KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        SeedComparison(**arguments).run()
    assert '| A | 20.0 |' in (arguments['work_dir'] / 'tables.md').read_text()
    stand_in.calls.clear()
    assert SeedComparison(**arguments).run() == []
    assert stand_in.calls[0] == call and ('train', 'A, seed 0') not in stand_in.calls
    assert (arguments['work_dir'] / 'tables.md').read_text().count('2 of 2') == 3


def test_a_run_that_fails_does_not_stop_the_others(arguments, stand_in):
    stand_in.fail = {('test', 'B, seed 0, T = 1'): ValueError('testing ended with status 9')}
    assert SeedComparison(**arguments).run() == ['B, seed 0: testing ended with status 9']
    assert '| T = 1 | 12.0 | - | - | - | 2.0 | 1 of 2 |' in (arguments['work_dir'] / 'tables.md').read_text()


def test_not_measured_yet(arguments, stand_in):
    SeedComparison(**arguments).run(only=['A'])
    assert '| T = 6 | not measured yet |  |  |  |  | 0 of 2 |' in (arguments['work_dir'] / 'tables.md').read_text()


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(seeds=[1, 1]), '--seeds must differ, got 1 1'),
        (dict(threads=0), '--threads must be 1 or more, got 0'),
        (dict(device='gpu'), '--device must be cpu, cuda or cuda:N, got gpu'),
        (dict(rows=dict(A=Row('rdn/none'))), 'config rdn/none does not exist'),
    ],
)
def test_bad_arguments(arguments, change, message):
    with pytest.raises((ValueError, FileNotFoundError)) as error:
        SeedComparison(**dict(arguments, **change))
    assert message in str(error.value) and '\n' not in str(error.value)


def test_rows_that_cannot_be_compared(arguments, stand_in, tmp_path):
    with pytest.raises(ValueError, match="there is no row 'C', expected of A, B"):
        SeedComparison(**arguments).run(only=['C'])
    (tmp_path / 'b.py').write_text(
        detector_config(6, str(tmp_path / 'val.json')).replace("'val.json')", "'other.json')")
    )
    with pytest.raises(ValueError, match='the test data of A, seed 0 is .*val.json, that of B, seed 0 is .*other.json'):
        SeedComparison(**arguments).run()
    assert stand_in.calls == []


@pytest.mark.slow
def test_the_tables_are_those_of_the_paper(tmp_path):
    """Each line says what the config that is trained, or tested, has."""
    options = paper_tables(tmp_path).options
    lines = {}
    for table in TABLES:
        for line in table.lines:
            row = ROWS[line.row]
            words = [*options, *row.options, *(row.tests[line.test] if line.test else ())]
            model = load_config(row.config, parse_options(words)).model
            neck, sampler = model.get('neck', {}), model.get('support_sampler', {})
            lines[table.title[:7], line.label] = (
                neck.get('num_basic', 2) if neck else 0,
                neck.get('advanced', True) if neck else False,
                model.temporal_range,
                sampler.get('num_support'),
                sampler.get('advanced_ratio', 0.2),
            )
    assert [lines['Table 3', name] for name in ('single frame', 'relation in the frame', 'basic', 'RDN')] == [
        (0, False, 0, None, 0.2), (2, False, 0, 16, 0.2), (2, False, 6, 16, 0.2), (2, True, 6, 16, 0.2)
    ]  # fmt: skip
    by_table = {
        number: {label: value for (table, label), value in lines.items() if table == f'Table {number}'}
        for number in range(4, 8)
    }
    ranges = {label: value[2] for label, value in by_table[4].items()}
    assert ranges == {f'T = {t}': t for t in (0, 1, 2, 3, 4, 6, 9, 12)}
    assert {label: value[:2] for label, value in by_table[5].items()} == {f'N_b = {n}': (n, False) for n in range(5)}
    assert {value[:3] for value in by_table[6].values()} == {(2, False, 6)}
    assert {label: value[3] for label, value in by_table[6].items()} == {
        f'K = {k}': k for k in (4, 8, 12, 16, 24, 32, 48, 64)
    }
    assert {label: value[4] for label, value in by_table[7].items()} == {
        f'r = {r}%': r / 100 for r in (10, 20, 30, 40, 50, 60, 80, 100)
    }
    assert list(by_table[7])[:3] == ['r = 10%', 'r = 20%', 'r = 30%']


def test_commands_that_can_be_started_again(capsys):
    run_resumable(lambda: [])
    with pytest.raises(SystemExit) as ended:
        run_resumable(lambda: ['a: broken', 'b: too'])
    assert ended.value.code == 1 and capsys.readouterr().err == 'error: a: broken\nerror: b: too\n'

    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match='^interrupted; run the same command again to continue$'):
        run_resumable(interrupted)


def test_detectors_side_by_side(tmp_path, monkeypatch, arguments):
    """Steps are taken together, each named after its detector; what is done is not done again."""
    commands, threads = [], str(max(1, (os.cpu_count() or 1) // 2))
    monkeypatch.setattr(detector_run.os, 'environ', {})

    def run(now, _):
        commands.append([(command.title, command.env.get('OMP_NUM_THREADS')) for command in now])
        for command in now:
            directory = command.log_file.parent
            if 'training' in command.title:
                (directory / 'last_checkpoint').write_text(str(directory / 'iter_800.pth'))
            else:
                write_json(dict(ms_per_frame=1.0, parameters=9), directory / 'cost.json')
                write_json({'vid/mAP50': 0.5}, directory / 'test' / '20_1' / '20_1.json')
        return [1.5, 4.25][: len(now)]

    monkeypatch.setattr(detector_run, 'run_with_progress', run)
    runs = [DetectorRun(name, str(tmp_path / f'{name}.py'), tmp_path / f'run {name}') for name in 'ab']
    rows = run_side_by_side(runs, Console(file=io.StringIO()))
    assert [(row['mAP50'], row['train_minutes']) for row in rows] == [(50, 1.5), (50, 4.25)]
    assert commands == [
        [('a: training', threads), ('b: training', threads)],
        [('a: testing', '1'), ('b: testing', '1')],
    ]
    (tmp_path / 'run b' / 'result.json').unlink()
    assert run_side_by_side(runs, Console(file=io.StringIO())) == rows
    assert commands[2:] == [[('testing', '1')]]
