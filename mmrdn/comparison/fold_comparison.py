# Copyright (c) mmrdn contributors. All rights reserved.
"""Compare detectors by cross-validation: folds by video, several seeds."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmrdn.apis.config_files import find_model
from mmrdn.comparison.detector_comparison import check_same_data, unique_names
from mmrdn.comparison.detector_run import visible_devices
from mmrdn.comparison.fold_report import FoldReport
from mmrdn.comparison.fold_run import FoldRun, read_record
from mmrdn.comparison.report import short_names
from mmrdn.comparison.shared_runs import do_runs
from mmrdn.datasets.converters.folds import split_into_folds
from mmrdn.evaluation import build_linker
from mmrdn.fileio.coco_vid import CocoVidFile
from mmrdn.fileio.json_files import read_json, write_json
from mmrdn.fileio.whole_file import whole_file


@dataclass(frozen=True)
class FoldComparison:
    """Detectors trained and tested on every fold with every seed.

    All rows see the same folds. In the directory are ``data/`` (the folds), ``configs/``, a
    directory for each run, and the results, rewritten after each run: ``folds.json`` and
    ``folds.md``. Any number of processes may work in it; each takes the next run that no other has.

    Args:
        configs (Sequence[str]): Paths, or names as in :func:`find_model`.
        data (Sequence[str]): COCO-VID files, which are joined and split into folds.
        images (str): Directory of their images.
        work_dir (Path): Directory of all that is written.
        num_folds (int): Number of folds.
        seeds (Sequence[int]): Seeds of the trainings.
        one_class (str, optional): Name of the class that all boxes get.
        linked (str, optional): Name of the row whose predictions ``linkers`` link.
        linkers (Sequence[str]): Types of box linkers, each of which makes a row.
        baselines (Sequence[str]): Names of rows that the others are compared with; the first row if
            there are none.
        score_thr (float): See :func:`mmrdn.evaluation.flicker`.
        device (str, optional): ``cpu`` or ``cuda:N``. Default: a GPU if there is one.
        options (Sequence[str]): Words of ``--cfg-options`` for all configs.

    Raises:
        FileNotFoundError: There is no such config.
        ValueError: An argument is wrong.
    """

    configs: Sequence[str]
    data: Sequence[str]
    images: str
    work_dir: Path
    num_folds: int = 5
    seeds: Sequence[int] = (0,)
    one_class: str | None = None
    linked: str | None = None
    linkers: Sequence[str] = ()
    baselines: Sequence[str] = ()
    score_thr: float = 0.5
    device: str | None = None
    options: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.score_thr <= 1:
            raise ValueError(f'--score-thr must be from 0 to 1, got {self.score_thr}')
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f'--seeds must differ, got {" ".join(map(str, self.seeds))}')
        if not Path(self.images).is_dir():
            raise FileNotFoundError(f'--images {self.images}: no such directory')
        visible_devices(self.device)
        for config in self.configs:
            find_model(config)
        self.check_names(self.baselines if self.linked is None else [self.linked, *self.baselines])
        for linker in self.linkers:
            build_linker(dict(type=linker))

    @property
    def stems(self) -> list[str]:
        """list[str]: Names of the directories of runs, one of each config."""
        return unique_names(self.configs)

    @property
    def names(self) -> list[str]:
        """list[str]: Names of the rows, one of each config: the parts in which their names differ."""
        return short_names(self.stems)

    def check_names(self, names: Sequence[str]) -> None:
        """Raise ValueError for a name that no row has."""
        for name in names:
            if name not in self.names:
                raise ValueError(f"there is no row '{name}', expected of {', '.join(self.names)}")

    def run(
        self, only: Sequence[str] | None = None, folds: Sequence[int] | None = None, seeds: Sequence[int] | None = None
    ) -> list[str]:
        """Do the runs that are not done yet, seed by seed and fold by fold.

        Args:
            only (Sequence[str], optional): Names of the rows to run; all if not given.
            folds (Sequence[int], optional): Folds to run.
            seeds (Sequence[int], optional): Seeds to run.

        Returns:
            list[str]: Errors of runs that failed; the others went on.

        Raises:
            ValueError: There is no such part, the directory holds folds of other data, or the configs
                cannot be compared on these.
        """
        chosen = self._chosen(only, folds, seeds)
        runs = {_run_name(*key): lambda console, key=key: self._fold_run(*key)(console) for key in chosen}
        return do_runs(self.work_dir, runs, lambda: self._prepare(*chosen[0][1:]), self._write_results)

    def _chosen(self, only: Any = None, folds: Any = None, seeds: Any = None) -> list[tuple[str, int, int]]:
        """Return row, fold and seed of the runs of a part."""
        self.check_names(only or ())
        for option, given, known in (('--fold', folds, range(self.num_folds)), ('--seed', seeds, self.seeds)):
            for value in given or ():
                if value not in known:
                    raise ValueError(f'{option} must be one of {", ".join(map(str, known))}, got {value}')
        rows = [name for name in self.names if not only or name in only]
        keys = itertools.product(seeds or self.seeds, folds or range(self.num_folds), rows)
        return [(row, fold, seed) for seed, fold, row in keys]

    def _directory(self, name: str, fold: int, seed: int) -> Path:
        return self.work_dir / f'fold{fold}' / f'seed{seed}' / self.stems[self.names.index(name)]

    def _linkers(self, name: str) -> Sequence[str]:
        return self.linkers if name == self.linked else ()

    def _prepare(self, fold: int, seed: int) -> None:
        self._write_folds()
        self._check_configs(fold, seed)

    def _write_folds(self) -> None:
        """Write the annotation files of all folds, or check that they are there."""
        for number, fold in enumerate(split_into_folds(self.data, self.num_folds, self.one_class)):
            for part, content in fold._asdict().items():
                path = self._ann_file(number, part)
                if not path.exists():
                    write_json(content, path, indent=None)
                elif read_json(path) != content:
                    raise ValueError(f'{path} is of other data, or of other folds; choose another --work-dir')
        if self._ann_file(self.num_folds, 'val').exists():
            raise ValueError(f'{self.work_dir} holds more than {self.num_folds} folds; choose another --work-dir')

    def _check_configs(self, fold: int, seed: int) -> None:
        """Refuse configs that cannot be read, have other classes or another metric, before any of them is trained."""
        runs = [self._fold_run(name, fold, seed) for name in self.names]
        check_same_data(runs)
        truth = CocoVidFile(str(self._ann_file(fold, 'val')))
        for run in runs:
            truth.category_ids(run.cfg.test_dataloader.dataset.get('metainfo', {}).get('classes', ()))

    def _ann_file(self, fold: int, part: str) -> Path:
        return self.work_dir / 'data' / f'fold{fold}_{part}.json'

    def _fold_run(self, name: str, fold: int, seed: int) -> FoldRun:
        """Return the run, whose config is a child of the row's."""
        index = self.names.index(name)
        config = self.work_dir / 'configs' / f'{self.stems[index]}_fold{fold}.py'
        text = self._config(find_model(self.configs[index]).config, fold)
        if not config.exists() or config.read_text() != text:
            with whole_file(config) as file:
                file.write(text.encode())
        return FoldRun(
            _run_name(name, fold, seed),
            str(config),
            self._directory(name, fold, seed),
            [*self.options, f'randomness.seed={seed}'],
            device=self.device,
            linkers=self._linkers(name),
            score_thr=self.score_thr,
        )

    def _config(self, base: str, fold: int) -> str:
        """Return the text of a config for a fold."""
        train, val = (self._ann_file(fold, part).as_posix() for part in ('train', 'val'))
        images = f"data_root='', data_prefix=dict(img_path={Path(self.images).as_posix()!r})"
        lines = [
            f'_base_ = {Path(base).resolve().as_posix()!r}',
            f'train_dataloader = dict(dataset=dict(ann_file={train!r}, {images}))',
            f'val_dataloader = dict(dataset=dict(ann_file={val!r}, {images}))',
            f'test_dataloader = dict(dataset=dict(ann_file={val!r}, {images}))',
            f'val_evaluator = dict(ann_file={val!r})',
            f'test_evaluator = dict(ann_file={val!r})',
            'train_cfg = dict(val_begin=10**9)  # tested once, at the end',
        ]
        return '\n'.join(lines) + '\n'

    def _write_results(self) -> Path:
        """Write what all runs in the directory have measured so far."""
        runs = []
        for name, fold, seed in self._chosen():
            for linker, measured in read_record(self._directory(name, fold, seed), self.score_thr).items():
                runs.append(dict(row=_row(name, linker), fold=fold, seed=seed, **measured))
        rows = [_row(name, linker) for name in self.names for linker in ('', *self._linkers(name))]
        report = FoldReport(rows, range(self.num_folds), self.seeds, runs, self.baselines or rows[:1])
        head = dict(
            data=list(self.data),
            num_folds=self.num_folds,
            seeds=list(self.seeds),
            one_class=self.one_class,
            score_thr=self.score_thr,
            videos={i: self._videos(i) for i in range(self.num_folds)},
        )
        write_json(dict(head, runs=runs), self.work_dir / 'folds.json')
        path = self.work_dir / 'folds.md'
        with whole_file(path) as file:
            file.write(report.markdown().encode())
        return path

    def _videos(self, fold: int) -> list[str]:
        return [video['name'] for video in read_json(self._ann_file(fold, 'val'))['videos']]


def _run_name(name: str, fold: int, seed: int) -> str:
    return f'{name}, fold {fold}, seed {seed}'


def _row(name: str, linker: str) -> str:
    return f'{name} + {linker}' if linker else name
