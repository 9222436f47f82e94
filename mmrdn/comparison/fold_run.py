# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from mmrdn.comparison.detector_run import METRICS, DetectorRun
from mmrdn.evaluation import build_linker, evaluate_predictions, link_predictions, measure_flicker
from mmrdn.fileio.fields import NUMBER, OBJECT, check_entry
from mmrdn.fileio.json_files import read_json, write_json

_RECORD = 'record.json'


def read_record(directory: Path, score_thr: float) -> dict[str, dict[str, Any]]:
    """Return what a run has measured so far, by linker; nothing if with another threshold.

    Raises:
        ValueError: The file is broken.
    """
    path = directory / _RECORD
    if not path.exists():
        return {}
    record = read_json(path)
    check_entry(record, dict(score_thr=NUMBER, rows=OBJECT), ('score_thr', 'rows'), str(path))
    for linker, row in record['rows'].items():
        check_entry(row, dict.fromkeys((*METRICS, 'found', 'flicker'), NUMBER), (), f"{path}: rows['{linker}']")
    return record['rows'] if record['score_thr'] == score_thr else {}


@dataclass
class FoldRun(DetectorRun):
    """A detector trained and tested on a fold, by any machine, and its boxes linked.

    Unlike other runs it is not for timing, so any machine may continue what another one began.

    Args:
        linkers (Sequence[str]): Types of box linkers; each links the predictions of the test.
        score_thr (float): See :func:`mmrdn.evaluation.flicker`.
    """

    linkers: Sequence[str] = ()
    score_thr: float = 0.5

    def __call__(self, console: Console) -> dict[str, dict[str, Any]]:
        """Train, test, link and measure what is not done yet.

        Args:
            console (Console): Console of the progress.

        Returns:
            dict[str, dict]: By linker, '' for none: mAP, ``found`` and ``flicker`` in percent, None
            where there is no ground truth; of '' also what :class:`DetectorRun` returns.

        Raises:
            ValueError: The directory holds another run, or a step failed.
        """
        result = super().__call__(console)
        rows = read_record(self.directory, self.score_thr)
        for linker in ('', *self.linkers):
            if linker not in rows:
                rows[linker] = self._linked(linker) if linker else dict(result, **self._flicker('val'))
                write_json(dict(score_thr=self.score_thr, rows=rows), self.directory / _RECORD)
        return {linker: rows[linker] for linker in ('', *self.linkers)}

    def _settings(self) -> dict[str, Any]:
        return {key: value for key, value in super()._settings().items() if key not in ('machine', 'device', 'threads')}

    def _linked(self, linker: str) -> dict[str, Any]:
        """Link the predictions; return what is measured then."""
        source, out = (self.directory / f'{name}.predictions.json' for name in ('val', linker))
        link_predictions(str(source), build_linker(dict(type=linker)), str(out), overwrite=True)
        scores, _ = evaluate_predictions(str(out), self.metric.ann_file)
        row = {key: round(100 * scores.get(f'vid/{name}', float('nan')), 2) for key, name in METRICS.items()}
        return dict(row, **self._flicker(linker))

    def _flicker(self, name: str) -> dict[str, float]:
        """Return the flicker of predictions, in percent."""
        predictions = self.directory / f'{name}.predictions.json'
        shares = measure_flicker(str(predictions), self.metric.ann_file, self.score_thr)
        return {key: round(100 * value, 2) for key, value in shares.items()}
