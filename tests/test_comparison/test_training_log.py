# Copyright (c) mmrdn contributors. All rights reserved.
"""Logs of trainings, written by hand, and their curves."""

import json

import pytest

from mmrdn.comparison.training_log import plot_training_logs, read_training_log

TOOL = 'analysis_tools/analyze_logs.py'


def iteration(step, loss, **values):
    return dict(lr=0.1, data_time=0.25, time=1.0 + step, loss=loss, loss_cls=loss / 2, **values, iter=step, step=step)


def validation(step, score):
    rest = {'vid/AP50/cat': float('nan'), 'data_time': 0.5, 'time': 100.0, 'step': step}
    return {'vid/mAP50': score, 'vid/mAP50_fast': 0.0, **rest}


FIRST = [iteration(2, 4.0, memory=700), iteration(4, 3.0), validation(4, 0.5), iteration(6, 2.5)]
RESUMED = [iteration(5, 2.0, memory=800), validation(5, 0.75), iteration(6, 1.0), validation(6, 0.25)]


def write(work_dir, *starts, end='\n'):
    """A log for each start of a training."""
    for i, records in enumerate(starts):
        directory = work_dir / f'2026110{i}_120000' / 'vis_data'
        directory.mkdir(parents=True)
        (directory / 'scalars.json').write_text('\n'.join(map(json.dumps, records)) + end)
    return work_dir


def test_curves_of_a_training_that_was_resumed(tmp_path):
    """At iteration 4: what came after it the first time does not count."""
    log = read_training_log(write(tmp_path, FIRST, RESUMED))
    assert log.curves == dict(
        lr=([2, 4, 5, 6], [0.1] * 4),
        data_time=([2, 4, 5, 6], [0.25] * 4),
        time=([2, 4, 5, 6], [3.0, 5.0, 6.0, 7.0]),
        loss=([2, 4, 5, 6], [4.0, 3.0, 2.0, 1.0]),
        loss_cls=([2, 4, 5, 6], [2.0, 1.5, 1.0, 0.5]),
        memory=([2, 5], [700, 800]),
    ) | {'vid/mAP50': ([4, 5, 6], [0.5, 0.75, 0.25]), 'vid/mAP50_fast': ([4, 5, 6], [0.0] * 3)}
    assert log.summary() == [
        f'{tmp_path}: 6 iterations, 6.000 s an iteration, 0.250 s of it waiting for data, 800 MiB',
        '  loss: 4 at 2, 1 at 6',
        '  loss_cls: 2 at 2, 0.5 at 6',
        '  vid/mAP50: 0.2500 at 6, best 0.7500 at 5',
    ]
    (first, _) = sorted(tmp_path.glob('*/vis_data/scalars.json'))
    assert read_training_log(first).curves['loss'] == ([2, 4, 6], [4.0, 3.0, 2.5])


def test_validations_by_epochs_are_at_their_iteration(tmp_path):
    """MMEngine logs them at the epoch."""
    records = [dict(iteration(s, 1.0), epoch=(s + 3) // 4) for s in (2, 4, 6, 8)]
    records[2:2], records[5:5] = [validation(1, 0.5)], [validation(2, 0.75)]
    log = read_training_log(write(tmp_path, records))
    assert log.curves['vid/mAP50'] == ([4, 8], [0.5, 0.75])


def test_a_panel_for_each_name_and_a_line_for_each_training(tmp_path):
    logs = [read_training_log(write(tmp_path / name, records)) for name, records in (('a', FIRST), ('b', RESUMED))]
    figure = plot_training_logs(logs)
    panels = {axes.get_title(): axes.lines for axes in figure.axes}
    assert list(panels) == ['lr', 'loss', 'loss_cls', 'vid/mAP50']
    found = [(list(line.get_xdata()), list(line.get_ydata())) for line in panels['vid/mAP50']]
    assert found == [([4], [0.5]), ([5, 6], [0.75, 0.25])]
    assert [text.get_text() for text in figure.legends[0].texts] == [str(tmp_path / 'a'), str(tmp_path / 'b')]
    assert [axes.get_title() for axes in plot_training_logs(logs, ['memory']).axes] == ['memory']
    with pytest.raises(ValueError, match='nothing named mAP was logged, expected of lr, data_time, time, loss'):
        plot_training_logs(logs, ['mAP'])


def test_broken_logs(tmp_path):
    work_dir = write(tmp_path / 'killed', FIRST, end='\n{"loss": 1')
    with pytest.warns(UserWarning, match=r'scalars.json, line 5: truncated .* left out, as the last line'):
        assert read_training_log(work_dir).curves['loss'] == ([2, 4, 6], [4.0, 3.0, 2.5])
    odd = read_training_log(write(tmp_path / 'odd', [{'step': 1, 'loss\x1b[2J': 1, 'loss $a$ $': 2, 'loss': True}]))
    assert list(odd.curves) == [r'loss\x1b[2J', 'loss $a$ $']
    plot_training_logs([odd]).canvas.draw()  # no formula
    for name, records, message in (
        ('a', ['x', FIRST[0]], 'line 1 must be an object, got x'),
        ('b', [FIRST[0], dict(loss=1)], 'line 2 .*step'),
        ('c', [dict(loss=1, step=1.5)], "line 1: 'step' must be an integer, got 1.5"),
        ('d', [dict(step=1)], 'is empty'),
    ):
        with pytest.raises(ValueError, match=message):
            read_training_log(write(tmp_path / name, records))
    (tmp_path / 'e').mkdir()
    with pytest.raises(FileNotFoundError, match='expected the work directory of a training'):
        read_training_log(tmp_path / 'e')


@pytest.mark.slow
def test_the_command(tmp_path, run_main):
    work_dir, out = write(tmp_path / 'work', FIRST), tmp_path / 'curves.png'
    status, stdout, stderr = run_main(TOOL, work_dir, '--out', out)
    assert (status, stderr) == (0, '') and stdout.splitlines()[-1] == f'{out} written'
    assert stdout.startswith(f'{work_dir}: 6 iterations, 6.000 s an iteration, ')
    assert out.read_bytes().startswith(b'\x89PNG')
    assert run_main(TOOL, work_dir, '--out', tmp_path / 'a.pdf', '--keys', 'time')[0] == 0
    assert (tmp_path / 'a.pdf').read_bytes().startswith(b'%PDF')
    for args, message in (
        (['--out', out], f'{out} exists; choose another name'),
        (['--out', tmp_path / 'a.gif'], f'--out {tmp_path}/a.gif: expected a name in .png, .pdf, .svg'),
        (['--keys', 'loss'], '--keys needs --out, the plot to write'),
    ):
        assert run_main(TOOL, work_dir, *args) == (1, '', f'error: {message}\n')
