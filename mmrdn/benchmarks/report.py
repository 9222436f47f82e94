# Copyright (c) mmrdn contributors. All rights reserved.
"""Parts of the benchmark, their JSON file, tables and plot."""

import json
import resource
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from mmengine.logging import MMLogger
from rich.console import Console
from rich.table import Table

from mmrdn.benchmarks import relation
from mmrdn.benchmarks.exported import time_exported
from mmrdn.benchmarks.gpu import time_on_gpu
from mmrdn.benchmarks.linking import time_linking
from mmrdn.benchmarks.operators import time_operators
from mmrdn.benchmarks.relation import Setting, time_attention, time_relation, time_training
from mmrdn.benchmarks.video import time_streams, time_video
from mmrdn.benchmarks.whole_frame import time_frames
from mmrdn.utils.machine import machine

# Paper, Table 4: ms a frame on a V100.
PAPER_MS = {3: 90.1, 6: 90.3, 9: 91.5, 12: 93.0, 15: 93.5, 18: 94.2, 21: 97.3, 24: 103.1}


def _relation_part(repeats: int, seed: int, quick: bool) -> dict[str, Any]:
    """Time relation for Tables 4, 6 and 7: one value varies, the others are the paper's."""
    ranges = (3, 18, 24) if quick else relation.TEMPORAL_RANGES
    settings = [Setting(temporal_range=t) for t in ranges]
    if not quick:
        settings += [Setting(num_support=k) for k in relation.NUM_SUPPORTS]
        settings += [Setting(percent=r) for r in relation.RATIOS]
    rows = []
    for setting in dict.fromkeys(settings):
        print(f'relation: {setting}', flush=True)
        row = time_relation(setting, repeats, seed)
        rows.append(dict(setting._asdict(), **row, speedup=speedup(row)))
    return dict(rows=rows)


def speedup(row: dict[str, dict | None]) -> float | None:
    """Return the median of the baseline over that of the memory."""
    return None if row['baseline'] is None else row['baseline']['median'] / row['memory']['median']


# Functions of the repeats, the seed, and whether to leave out what takes long.
PARTS: dict[str, Callable[[int, int, bool], dict[str, Any]]] = dict(
    training=lambda repeats, seed, quick: time_training(repeats, seed),
    relation=_relation_part,
    attention=lambda repeats, seed, quick: time_attention(repeats, seed),
    streams=lambda repeats, seed, quick: time_streams(repeats, seed),
    operators=time_operators,
    linking=time_linking,
    video=time_video,
    frame=time_frames,
    exported=time_exported,
    cuda=time_on_gpu,
)


def run_benchmark(
    out: str,
    parts: Sequence[str] | None = None,
    repeats: int = 5,
    threads: int | None = None,
    quick: bool = False,
    seed: int = 0,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Measure, print tables, write ``benchmark.json`` and ``benchmark.png``.

    Args:
        out (str): Output directory; results are written after each part.
        parts (Sequence[str], optional): Names in :data:`PARTS`; all if not given.
        repeats (int): Rounds that count.
        threads (int, optional): Threads of torch.
        quick (bool): Whether to measure fewer settings.
        seed (int): Seed of weights and inputs.
        overwrite (bool): Whether earlier results may be replaced.

    Returns:
        dict: The content of the JSON file.
    """
    if repeats < 1:
        raise ValueError(f'--repeats must be 1 or more, got {repeats}')
    if threads is not None and threads < 1:
        raise ValueError(f'--threads must be 1 or more, got {threads}')
    parts = list(PARTS) if parts is None else parts
    unknown = [name for name in parts if name not in PARTS]
    if unknown:
        raise ValueError(f'--parts: there is no {unknown[0]}, expected some of {", ".join(PARTS)}')
    path = Path(out) / 'benchmark.json'
    if path.exists() and not overwrite:
        raise FileExistsError(f'{path} exists; choose another --out or pass --overwrite')
    path.parent.mkdir(parents=True, exist_ok=True)
    MMLogger.get_current_instance().setLevel('WARNING')
    if threads is not None:
        torch.set_num_threads(threads)
    results: dict[str, Any] = dict(machine=machine(), command=' '.join(sys.argv[1:]), seed=seed)
    for part in parts:
        results[part] = PARTS[part](repeats, seed, quick)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        results['peak_memory_bytes'] = usage.ru_maxrss * 1024
        path.write_text(json.dumps(results, indent=1) + '\n')
        print_table(part, results[part])
    if 'relation' in results:
        plot(results, path.with_suffix('.png'))
    return results


def _cell(value: Any) -> str:
    """Format a summary of seconds in milliseconds, or a number."""
    if isinstance(value, dict) and 'median' in value:
        return f'{1e3 * value["median"]:.1f} ({1e3 * value["min"]:.1f}-{1e3 * value["max"]:.1f})'
    if isinstance(value, float):
        return f'{value:.2f}'
    return 'not measured' if value is None else str(value)


def print_table(part: str, result: dict[str, Any]) -> None:
    """Print the figures of a part: ms, median and in brackets the range."""
    table = Table(title=f'{part}: ms, median (range)')
    rows = result.get('rows')
    if rows is None:
        rows = []
        for name, value in result.items():
            value = value if isinstance(value, dict) else dict(value=value)
            if 'median' in value:
                value = dict(time=value, **value.get('stages', {}))
                value = {key: 1e3 * v if isinstance(v, float) else v for key, v in value.items()}
            rows.append(dict(name=name, **value))
    columns = list(dict.fromkeys(key for row in rows for key in row))
    for column in columns:
        table.add_column(column, justify='right')
    for row in rows:
        table.add_row(*(_cell(row[c]) if c in row else '' for c in columns))
    Console(width=200).print(table)


def plot(results: dict[str, Any], path: Path) -> None:
    """Plot relation over T, K and r, and the growth of a frame's time over T."""
    figure = Figure(figsize=(13, 4), layout='constrained')
    paper = Setting()
    axes = figure.subplots(1, 3, sharey=True)
    for axis, name, label in zip(axes, Setting._fields, ('T (frames)', 'K', 'r (%)')):
        rows = {
            row[name]: row
            for row in results['relation']['rows']
            if Setting(*map(row.get, Setting._fields)) == paper._replace(**{name: row[name]})
        }
        for contender in ('baseline', 'forward', 'memory'):
            points = [(x, 1e3 * row[contender]['median']) for x, row in sorted(rows.items()) if row[contender]]
            axis.plot(*zip(*points), marker='o', label=contender)
        if name == 'temporal_range':
            axis.plot(list(PAPER_MS), list(PAPER_MS.values()), 'k--', label='paper: whole frame, V100')
        axis.set_xlabel(label)
        axis.set_yscale('log')
        axis.grid(alpha=0.3)
    axes[0].set_ylabel('ms a frame')
    axes[0].legend()
    figure.suptitle(f'Relation a frame, N = 300, {results["machine"]["cpu"]}, {results["machine"]["threads"]} threads')
    figure.savefig(path, dpi=110)
